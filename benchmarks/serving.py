"""The comparison of servers: one image per request, against no-op servers, plain servers and other model servers."""

import importlib.metadata
import json
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks import dialects, load, processes
from benchmarks.load import Load, Post
from benchmarks.processes import PEERS_PYTHON, ROOT, Process
from benchmarks.verdicts import Log, Verdict, spread
from inkling.model_card.markdown import paragraph, table
from inkling.predictor import Predictor

ROUNDS = 5
SECONDS = {1: 1.0, 16: 2.0, 64: 1.0}
"""Duration of one measurement, by the number of connections."""
CONNECTIONS = 16
"""At which the contestants are compared."""
WARM_UP = 50
PNG = ROOT / "docs" / "digits" / "7.png"
BOUNDARY = "------------------------d74496d66958873e"
PART_HEAD = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="digit.png"\r\n'
    "Content-Type: image/png\r\n\r\n"
)


@dataclass(frozen=True)
class Contestant:
    name: str
    paths: dict[str, str]
    """The path of its endpoint, by upload: "multipart", "raw"."""
    module: str | None = None
    """In `benchmarks.servers`; None: Inkling itself."""
    package: str | None = None
    """The package that it needs in the peers' environment."""
    predicts: bool = True
    """Whether it answers a prediction; the no-op servers answer a constant."""
    environment: Mapping[str, str] = field(default_factory=dict)

    def command(self, port: int, data_dir: Path) -> list[str]:
        if self.module is None:
            return processes.serve_command(port, data_dir)
        python = str(PEERS_PYTHON) if self.package else sys.executable
        return [python, "-m", f"benchmarks.servers.{self.module}", str(port)]


BOTH = {"multipart": "/multipart", "raw": "/raw"}
OURS = Contestant("Inkling", {"multipart": "/predict", "raw": "/predict"})
NO_OP = Contestant("no-op FastAPI", BOTH, "limit_fastapi", predicts=False)
RAY_FAST = "Ray Serve, HAProxy"
RAY_FAST_ENVIRONMENT = {"RAY_SERVE_ENABLE_HA_PROXY": "1", "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1"}
"""As its makers advise: https://docs.ray.io/en/latest/serve/advanced-guides/performance.html."""
CONTESTANTS = (
    OURS,
    NO_OP,
    Contestant("no-op bare ASGI", BOTH, "limit_asgi", predicts=False),
    Contestant("plain FastAPI + NumPy", BOTH, "plain_numpy"),
    Contestant("plain FastAPI + TensorFlow", BOTH, "plain_tensorflow"),
    Contestant("mosec", {"raw": "/inference"}, "mosec_server", "mosec"),
    Contestant("LitServe", {"multipart": "/predict"}, "litserve_server", "litserve"),
    Contestant("BentoML", {"multipart": "/multipart"}, "bentoml_server", "bentoml"),
    Contestant("Ray Serve", {"multipart": "/"}, "ray_server", "ray"),
    Contestant(RAY_FAST, {"multipart": "/"}, "ray_server", "ray", environment=RAY_FAST_ENVIRONMENT),
)
THRESHOLDS = {
    ("multipart", "no-op FastAPI"): 0.85,
    ("raw", "no-op FastAPI"): 0.70,
    ("raw", "mosec"): 1.3,
    ("multipart", "LitServe"): 3.5,
    ("multipart", "plain FastAPI + TensorFlow"): 3.5,
    ("multipart", "BentoML"): 9.0,
    ("multipart", "Ray Serve"): 20.0,
    ("multipart", RAY_FAST): 2.0,
}
"""The least ratio of our requests per second to the contestant's, at CONNECTIONS."""


@dataclass
class Race:
    """One load per round, by upload, contestant and number of connections."""

    loads: dict[tuple[str, str, int], list[Load]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    """The reasons why contestants are missing, by name."""
    dialects: dict[str, list[Load]] = field(default_factory=dict)
    """Loads on Inkling in other servers' protocols, round by round, at CONNECTIONS."""

    def ratios(self, upload: str, name: str, connections: int = CONNECTIONS) -> list[float]:
        """Return the ratio of our requests per second to the contestant's, round by round."""
        pairs = zip(self.loads[upload, OURS.name, connections], self.loads[upload, name, connections], strict=True)
        return [ours.requests_per_s / theirs.requests_per_s for ours, theirs in pairs]

    def names(self, upload: str) -> list[str]:
        return [c.name for c in CONTESTANTS if (upload, c.name, CONNECTIONS) in self.loads]


def run(log: Log, rounds: int = ROUNDS, only: frozenset[str] | None = None) -> Race:
    """Measure all contestants, or only some; one that fails is left out, with its reason."""
    load.require_wrk()
    race = Race()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        posts, expected = uploads(Path(folder))
        foreign, grpc_port = dialects.rest_posts(Path(folder)), processes.free_port()
        servers: list[tuple[Contestant, Process]] = []
        for contestant in CONTESTANTS:
            if only is not None and contestant.name not in only:
                continue
            if contestant.package and not is_installed(contestant.package):
                race.absent[contestant.name] = "not installed: make bench-peers"
                continue
            log(f"starting {contestant.name}")
            try:
                process = stack.enter_context(_checked(contestant, Path(folder), posts, expected, grpc_port))
            except RuntimeError as error:
                race.absent[contestant.name] = str(error)
                log(f"{contestant.name} is left out: {error}")
            else:
                servers.append((contestant, process))
        for number in range(1, rounds + 1):
            for upload, post in posts.items():
                for connections in SECONDS:
                    log(f"round {number} of {rounds}, {upload}, {connections} connections")
                    for server in servers:
                        _measure(race, server, upload, post, connections)
            if servers and servers[0][0] is OURS:
                log(f"round {number} of {rounds}, other protocols")
                loads = dialects.measure(servers[0][1], grpc_port, foreign, CONNECTIONS, SECONDS[CONNECTIONS])
                for name, one in loads.items():
                    race.dialects.setdefault(name, []).append(one)
    for name in race.absent:
        race.loads = {key: loads for key, loads in race.loads.items() if key[1] != name}
    return race


def _measure(race: Race, server: tuple[Contestant, Process], upload: str, post: Post, connections: int) -> None:
    """Add one load of a contestant to the race, unless it has failed or has no such endpoint."""
    contestant, process = server
    if upload not in contestant.paths or contestant.name in race.absent:
        return
    try:
        measured = load.send(post, process.url + contestant.paths[upload], connections, SECONDS[connections])
    except RuntimeError as error:
        race.absent[contestant.name] = f"failed under load: {error}"
    else:
        race.loads.setdefault((upload, contestant.name, connections), []).append(measured)


def uploads(folder: Path) -> tuple[dict[str, Post], dict[str, object]]:
    """Return the uploads of one digit by name, their bodies in `folder`, and the prediction expected for them."""
    png = PNG.read_bytes()
    bodies = {"png": png, "form": PART_HEAD.encode() + png + f"\r\n--{BOUNDARY}--\r\n".encode()}
    for suffix, content in bodies.items():
        (folder / f"digit.{suffix}").write_bytes(content)
    predictions = Predictor.load().predict_files([PNG])
    posts = {
        "multipart": Post(f"multipart/form-data; boundary={BOUNDARY}", folder / "digit.form"),
        "raw": Post("image/png", folder / "digit.png"),
    }
    return posts, {"digit": predictions.digits[0], "probabilities": predictions.probabilities[0].tolist()}


def is_installed(package: str) -> bool:
    if not PEERS_PYTHON.exists():
        return False
    return subprocess.run([PEERS_PYTHON, "-c", f"import {package}"], capture_output=True, check=False).returncode == 0


@contextmanager
def _checked(
    contestant: Contestant, folder: Path, posts: dict[str, Post], expected: dict[str, object], grpc_port: int
) -> Iterator[Process]:
    """Start a contestant, and warm it up with requests whose answers are checked."""
    port = processes.free_port()
    data_dir = folder / f"data-{port}"
    ours = {"INKLING_GRPC_PORT": str(grpc_port)} if contestant is OURS else {}
    with processes.running(contestant.command(port, data_dir), port, **contestant.environment, **ours) as process:
        process.wait_for(lambda: _is_answered(process, contestant, posts))
        for upload, path in contestant.paths.items():
            post = posts[upload]
            for _ in range(WARM_UP):
                check_answer(_post(process.url + path, post), expected if contestant.predicts else None)
        yield process


def _is_answered(process: Process, contestant: Contestant, posts: dict[str, Post]) -> bool:
    upload, path = next(iter(contestant.paths.items()))
    try:
        return bool(_post(process.url + path, posts[upload]))
    except RuntimeError:
        return False


def _post(url: str, post: Post) -> bytes:
    request = urllib.request.Request(url, post.body.read_bytes(), {"Content-Type": post.content_type}, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            content: bytes = response.read()
            return content
    except OSError as error:
        raise RuntimeError(f"{url}: {error}") from error


def check_answer(content: bytes, expected: dict[str, object] | None) -> None:
    """Check the content of an answer; without `expected`, only its shape.

    Raises:
        RuntimeError: it differs from the expected prediction by more than 1e-4.
    """
    (prediction,) = json.loads(content)["predictions"]
    if expected is None:
        return
    is_close = np.allclose(prediction["probabilities"], expected["probabilities"], atol=1e-4)  # type: ignore[arg-type]
    if prediction["digit"] != expected["digit"] or not is_close:
        raise RuntimeError(f"answered {prediction}, expected {expected}")


def section(race: Race) -> str:
    """Return the report in Markdown."""
    parts = ["## One image per request"]
    parts.append(
        paragraph(
            f"{ROUNDS} rounds. In each round wrk (one thread) sends load to one contestant after the other, over 1, 16 "
            "and 64 keep-alive connections. All contestants keep running; those without load are idle. Nothing is "
            "pinned to a core, because some contestants are several processes by design. Values are medians; ratios "
            "are taken within a round, and given with their minimum and maximum."
        )
    )
    for upload in ("multipart", "raw"):
        parts.append(f"### {'A form (multipart/form-data)' if upload == 'multipart' else 'The PNG itself (image/png)'}")
        parts.append(table(_HEADER, [_row(race, upload, name) for name in race.names(upload)]))
    if race.dialects:
        keys = {name: (upload, name, CONNECTIONS) for name, upload in _PEERS.items()}
        peers = {name: race.loads[key] for name, key in keys.items() if key in race.loads}
        parts.append(dialects.section(race.dialects, peers, CONNECTIONS))
    for name, reason in race.absent.items():
        parts.append(paragraph(f"Left out: {name}, {reason}."))
    return "\n\n".join(parts)


_PEERS = {"mosec": "raw", "LitServe": "multipart", "Ray Serve": "multipart", RAY_FAST: "multipart"}
"""The upload of each model server that the protocols are compared with."""
_HEADER = (
    "contestant",
    "requests/s: 1",
    "16",
    "64",
    "p50 ms: 1",
    "16",
    "64",
    "p99 ms: 1",
    "16",
    "64",
    "Inkling / contestant, at 16",
)


def _row(race: Race, upload: str, name: str) -> list[str]:
    loads = [race.loads[upload, name, connections] for connections in SECONDS]
    rates = [f"{statistics.median(one.requests_per_s for one in many):,.0f}" for many in loads]
    halves = [f"{statistics.median(one.p50_ms for one in many):.2f}" for many in loads]
    tails = [f"{statistics.median(one.p99_ms for one in many):.2f}" for many in loads]
    return [name, *rates, *halves, *tails, spread(race.ratios(upload, name)) if name != OURS.name else ""]


def verdicts(race: Race) -> list[Verdict]:
    """Return the result of each threshold, and of the comparison of latencies."""
    found = []
    for (upload, name), least in THRESHOLDS.items():
        if (upload, name, CONNECTIONS) in race.loads:
            ratios = race.ratios(upload, name)
            is_met = statistics.median(ratios) >= least
            found.append(Verdict(f"{upload}: Inkling / {name}", f"at least {least}x", spread(ratios), is_met))
    for upload in ("multipart", "raw"):
        tails = {
            name: statistics.median(one.p99_ms for one in race.loads[upload, name, CONNECTIONS])
            for name in race.names(upload)
            if name == OURS.name or next(c for c in CONTESTANTS if c.name == name).predicts
        }
        others = {name: tail for name, tail in tails.items() if name != OURS.name}
        if others:
            best = min(others, key=others.__getitem__)
            is_met = tails[OURS.name] < others[best]
            ours = f"{tails[OURS.name]:.2f} ms"
            found.append(Verdict(f"{upload}: p99", f"below {others[best]:.2f} ms ({best})", ours, is_met))
    return found


def versions() -> list[str]:
    """Return the versions of the peers in their environment."""
    if not PEERS_PYTHON.exists():
        return []
    site = next(PEERS_PYTHON.parents[1].glob("lib/python*/site-packages"))
    found = {d.metadata["Name"].lower(): d.version for d in importlib.metadata.distributions(path=[str(site)])}
    return [f"{name} {found[name]}" for name in ("mosec", "litserve", "bentoml", "ray") if name in found]
