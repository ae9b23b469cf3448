"""Load from wrk (https://github.com/wg/wrk), and what it measured."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).parent / "post.lua"


@dataclass(frozen=True)
class Load:
    """What wrk measured in one go."""

    requests_per_s: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Post:
    """A request to be sent over and over."""

    content_type: str
    body: Path


def require_wrk() -> None:
    """End in words where there is no wrk."""
    if shutil.which("wrk") is None:
        raise SystemExit("the load comes from wrk, which is missing: apt-get install wrk, or brew install wrk")


def send(post: Post, url: str, connections: int, seconds: float) -> Load:
    """Send a request over `connections` keep-alive connections, one at a time on each, from one thread.

    Raises:
        RuntimeError: an answer was missing, or none of 2xx or 3xx.
    """
    how = ["-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--timeout", "20s", "-s", str(SCRIPT)]
    what = [url, "--", str(post.body), post.content_type]
    finished = subprocess.run(["wrk", *how, *what], capture_output=True, text=True, check=False)
    if finished.returncode:
        raise RuntimeError(f"wrk failed: {finished.stdout}{finished.stderr}")
    return parse(finished.stderr)


def parse(told: str) -> Load:
    """Return what the line of JSON says that `post.lua` writes last.

    Raises:
        RuntimeError: there were errors, or no answer at all.
    """
    measured = json.loads(told.strip().splitlines()[-1])
    if measured["errors"] or not measured["requests"]:
        raise RuntimeError(f"{measured['errors']} errors in {measured['requests']} requests")
    return Load(
        measured["requests"] / measured["duration_us"] * 1e6, measured["p50_us"] / 1e3, measured["p99_us"] / 1e3
    )
