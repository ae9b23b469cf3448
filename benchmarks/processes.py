"""Server processes of the benchmarks: their start, readiness, CPU time, memory and end."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx

ROOT = Path(__file__).parent.parent
PEERS_PYTHON = ROOT / ".venv-peers" / "bin" / "python"
START_S = 120.0
STOP_S = 20.0
MIB = 1 << 20


@dataclass(frozen=True)
class Process:
    """A server, by the process that was started for it."""

    popen: subprocess.Popen[bytes]
    port: int
    started_at: float
    """On the clock of `time.perf_counter`, just before the start."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, timeout_s: float = 30) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=timeout_s)

    def wait_for(self, condition: Callable[[], bool]) -> float:
        """Check a condition every 5 ms until it holds; return the seconds from the start of the process.

        Raises:
            RuntimeError: the process ended, or the condition did not hold in time.
        """
        while time.perf_counter() - self.started_at < START_S:
            if self.popen.poll() is not None:
                raise RuntimeError(f"the server ended with exit code {self.popen.returncode}")
            if condition():
                return time.perf_counter() - self.started_at
            time.sleep(0.005)
        raise RuntimeError(f"the server was not ready after {START_S:.0f} s")

    def is_ready(self) -> bool:
        """Return whether GET /readyz answers 200."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5):
                return True
        except OSError:
            return False

    def tree(self) -> list[int]:
        """Return the ids of the process and of all its descendants."""
        return [self.popen.pid, *descendants(self.popen.pid)]

    def cpu_s(self) -> float:
        """Return the CPU time, user and system, of the process and its descendants, in seconds."""
        return sum(map(cpu_s, self.tree()))

    def resident_mib(self) -> list[float]:
        """Return the resident memory (VmRSS) of the process and of each descendant, the largest first."""
        return sorted(map(resident_mib, self.tree()), reverse=True)

    def stop(self) -> None:
        """End the process and everything that it started."""
        tree = self.tree()
        self.popen.terminate()
        try:
            self.popen.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        for pid in tree[1:]:
            _kill_if_ours(pid)


def start(
    command: list[str], port: int, environment: Mapping[str, str], log: IO[bytes] | int = subprocess.DEVNULL
) -> Process:
    """Start a server in the project's folder, as the leader of a session of its own."""
    started_at = time.perf_counter()
    popen = subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        env={**inkling_environment(), **environment},
    )
    return Process(popen, port, started_at)


@contextmanager
def running(command: list[str], port: int, **environment: str) -> Iterator[Process]:
    """Start a server, and stop it at the end."""
    process = start(command, port, environment)
    try:
        yield process
    finally:
        process.stop()


@contextmanager
def running_inkling(data_dir: Path, *options: str, trainer: str = "external", **environment: str) -> Iterator[Process]:
    """Start `inkling serve` on a free port, yield it when it is ready, and stop it at the end."""
    port = free_port()
    with running(serve_command(port, data_dir, *options, trainer=trainer), port, **environment) as process:
        process.wait_for(process.is_ready)
        yield process


def serve_command(port: int, data_dir: Path, *options: str, trainer: str = "external") -> list[str]:
    """Return the command line of `inkling serve`; unless `trainer` is "process", it starts no trainer."""
    inkling = shutil.which("inkling", path=str(Path(sys.executable).parent)) or "inkling"
    return [inkling, "serve", "--port", str(port), "--data-dir", str(data_dir), "--trainer", trainer, *options]


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def wait_for_removal(control_group: Path) -> None:
    """Remove a control group as soon as its processes have left it."""
    for _ in range(100):
        try:
            control_group.rmdir()
        except OSError:
            time.sleep(0.05)
        else:
            return


def inkling_environment() -> dict[str, str]:
    """Return this process's environment without settings of Inkling, and with the peers' telemetry turned off."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("INKLING_")}
    quiet = {"BENTOML_DO_NOT_TRACK": "True", "RAY_USAGE_STATS_ENABLED": "0", "TF_CPP_MIN_LOG_LEVEL": "2"}
    return {**kept, **quiet, "PYTHONPATH": str(ROOT)}


def descendants(pid: int) -> list[int]:
    try:
        children = [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:  # it has ended
        return []
    return [found for child in children for found in (child, *descendants(child))]


def cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # it has ended
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024 / MIB


def _kill_if_ours(pid: int) -> None:
    """Kill a process that was left behind, unless its id belongs to an unrelated process by now."""
    try:
        if str(ROOT).encode() in Path(f"/proc/{pid}/environ").read_bytes():
            os.kill(pid, signal.SIGKILL)
    except OSError:
        return


def trainers_of(data_dir: Path) -> list[int]:
    """Return the trainer processes that servers and searches have started on a data directory."""
    mark = f"INKLING_DATA_DIR={data_dir}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            if b"worker" in words and mark in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
        except OSError:  # it has ended
            continue
    return found
