"""Requests of other servers' protocols, in rotation with the other model servers: requests per second."""

import statistics
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks import load, protocols
from benchmarks.load import Load, Post
from benchmarks.processes import ROOT, Process
from inkling.model_card.markdown import paragraph, table

RAW = protocols.BASE
REST = (RAW, protocols.BINARY, "v2, JSON UINT8", "v1, integers", "v1, floats (28, 28, 1)")
GRPC = tuple(protocols.grpc_requests())


def rest_posts(folder: Path) -> dict[str, tuple[str, Post]]:
    """Return the path and the request of each dialect over HTTP, by its name; the bodies are files in `folder`."""
    found = {}
    for number, name in enumerate(REST):
        head, _, body = protocols.requests()[name].partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        file = folder / f"dialect-{number}.body"
        file.write_bytes(body)
        kept = tuple(f"{key}: {value}" for key, value in headers.items() if key.startswith("Inference"))
        found[name] = (first.split()[1], Post(headers["Content-Type"], file, kept))
    return found


def send_grpc(name: str, port: int, connections: int, seconds: float) -> Load:
    """Send a call again and again, `connections` at a time, from a process of its own.

    Raises:
        RuntimeError: a call failed.
    """
    command = [sys.executable, "-m", "benchmarks.grpc_load", name, str(port), str(connections), str(seconds)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if finished.returncode:
        raise RuntimeError(f"{name}: {finished.stderr[-500:]}")
    return load.parse(finished.stdout)


def measure(
    server: Process, grpc_port: int, posts: dict[str, tuple[str, Post]], connections: int, seconds: float
) -> dict[str, Load]:
    """Return one load of each dialect on a running Inkling."""
    found = {name: load.send(post, server.url + path, connections, seconds) for name, (path, post) in posts.items()}
    return found | {name: send_grpc(name, grpc_port, connections, seconds) for name in GRPC}


def section(ours: Mapping[str, list[Load]], peers: Mapping[str, list[Load]], connections: int) -> str:
    """Return the report in Markdown, of the loads of each dialect and of each peer, round by round."""
    text = (
        f"Inkling's answers to one image in the protocols of other servers, at {connections} connections, in the same "
        "rounds; the other model servers read the PNG of the tables above. Ratios are medians. The load over gRPC "
        "comes from grpcio in Python, which may limit it. Triton itself is not here: it comes in containers only."
    )
    bases = {RAW: ours[RAW], **peers}
    rows = []
    for name, loads in {**ours, **peers}.items():
        rate, p99 = (
            statistics.median(one.requests_per_s for one in loads),
            statistics.median(one.p99_ms for one in loads),
        )
        ratios = (
            statistics.median(a.requests_per_s / b.requests_per_s for a, b in zip(loads, base, strict=True))
            for base in bases.values()
        )
        rows.append([name, f"{rate:,.0f}", f"{p99:.2f}", *(f"{ratio:.2f}x" for ratio in ratios)])
    header = ("request", "requests/s", "p99 ms", *(f"of {name}" for name in bases))
    return "\n\n".join(["### Protocols beside other model servers", paragraph(text), table(header, rows)])
