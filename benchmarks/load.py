"""Load from wrk (https://github.com/wg/wrk), and its measurement."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).parent / "post.lua"


@dataclass(frozen=True)
class Load:
    """The measurement of one run of wrk."""

    requests_per_s: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Post:
    """A request to repeat."""

    content_type: str
    body: Path
    headers: tuple[str, ...] = ()
    """Others, as `Name: value`."""


def require_wrk() -> None:
    """Exit with a message if wrk is not installed."""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk, which generates the load, is not installed: apt-get install wrk, or brew install wrk")


def send(post: Post, url: str, connections: int, seconds: float) -> Load:
    """Send a request again and again over `connections` keep-alive connections, from one thread.

    Raises:
        RuntimeError: a connection or an answer failed, or a status was neither 2xx nor 3xx.
    """
    options = ["-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--timeout", "20s", "-s", str(SCRIPT)]
    arguments = [url, "--", str(post.body), post.content_type, *post.headers]
    finished = subprocess.run(["wrk", *options, *arguments], capture_output=True, text=True, check=False)
    if finished.returncode:
        raise RuntimeError(f"wrk failed: {finished.stdout}{finished.stderr}")
    return parse(finished.stderr)


def parse(output: str) -> Load:
    """Return the measurement in the last line, a line of JSON that `post.lua` writes.

    Raises:
        RuntimeError: there were errors, or no answers.
    """
    measured = json.loads(output.strip().splitlines()[-1])
    if measured["errors"] or not measured["requests"]:
        raise RuntimeError(f"{measured['errors']} errors in {measured['requests']} requests")
    return Load(
        measured["requests"] / measured["duration_us"] * 1e6, measured["p50_us"] / 1e3, measured["p99_us"] / 1e3
    )
