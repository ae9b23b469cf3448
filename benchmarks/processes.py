"""Server processes to be measured: started, awaited, looked at, and ended with all that they started."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parent.parent
PEERS_PYTHON = ROOT / ".venv-peers" / "bin" / "python"
START_S = 120.0


@dataclass(frozen=True)
class Process:
    """A server, by the process that was started for it."""

    popen: subprocess.Popen[bytes]
    port: int
    started_at: float
    """On the clock of `time.perf_counter`, just before it was started."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_for(self, is_there: Callable[[], bool]) -> float:
        """Return how many seconds after the process was started something held, for which is looked every 5 ms.

        Raises:
            RuntimeError: the process ended, or it did not hold in time.
        """
        while time.perf_counter() - self.started_at < START_S:
            if self.popen.poll() is not None:
                raise RuntimeError(f"its process ended with {self.popen.returncode}")
            if is_there():
                return time.perf_counter() - self.started_at
            time.sleep(0.005)
        raise RuntimeError(f"it was not ready after {START_S:.0f} s")

    def is_ready(self) -> bool:
        """Whether GET /readyz answers 200."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5):
                return True
        except OSError:
            return False

    def tree(self) -> list[int]:
        """Return the ids of the process and of all its descendants."""
        return [self.popen.pid, *_descendants(self.popen.pid)]

    def cpu_s(self) -> float:
        """Return the processor time, user and system, that its processes have used, in seconds."""
        ticks = 0
        for pid in self.tree():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def resident_mb(self) -> list[float]:
        """Return the resident memory of each of its processes, in MB of a million bytes, the largest first."""
        sizes = []
        for pid in self.tree():
            status = Path(f"/proc/{pid}/status").read_text()
            sizes.append(int(status.split("VmRSS:")[1].split()[0]) * 1024 / 1e6)
        return sorted(sizes, reverse=True)


@contextmanager
def started(command: list[str], port: int, log: IO[bytes] | int = subprocess.DEVNULL) -> Iterator[Process]:
    """Start a server in the project's folder, and end it and all that it started at the end."""
    started_at = time.perf_counter()
    popen = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=_environment()
    )
    process = Process(popen, port, started_at)
    try:
        yield process
    finally:
        _end(process)


def ours(port: int, data_dir: Path, *options: str) -> list[str]:
    """Return the installed command that serves; the trainer stays away."""
    inkling = shutil.which("inkling", path=str(Path(sys.executable).parent)) or "inkling"
    return [inkling, "serve", "--port", str(port), "--data-dir", str(data_dir), "--trainer", "external", *options]


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("INKLING_")}
    quiet = {"BENTOML_DO_NOT_TRACK": "True", "RAY_USAGE_STATS_ENABLED": "0", "TF_CPP_MIN_LOG_LEVEL": "2"}
    return {**kept, **quiet, "PYTHONPATH": str(ROOT)}


def _descendants(pid: int) -> list[int]:
    try:
        children = [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:  # it ended meanwhile
        return []
    return [found for child in children for found in (child, *_descendants(child))]


def _end(process: Process) -> None:
    tree = process.tree()
    process.popen.terminate()
    try:
        process.popen.wait(20)
    except subprocess.TimeoutExpired:
        process.popen.kill()
        process.popen.wait()
    for pid in tree[1:]:
        _kill_if_ours(pid)


def _kill_if_ours(pid: int) -> None:
    """Kill a process that was left behind, unless its number belongs to another one now."""
    try:
        if str(ROOT).encode() in Path(f"/proc/{pid}/environ").read_bytes():
            os.kill(pid, signal.SIGKILL)
    except OSError:
        return
