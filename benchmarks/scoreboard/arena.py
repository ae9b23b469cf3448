"""The place of an attack: seeded random numbers, a folder, and servers in a memory limit."""

import os
import random
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from benchmarks import processes
from benchmarks.processes import Process
from benchmarks.scoreboard.bystander import Watch
from benchmarks.scoreboard.memory_group import MemoryGroup, compose_environment, compose_limit_mib, memory_group

PORT_ATTEMPTS = 3
"""Another program may take the free port before the server does."""


@dataclass
class Server:
    """A real `inkling serve`, with its log, its memory and its CPU time."""

    process: Process
    data_dir: Path
    log_file: Path
    group: MemoryGroup | None
    _peak_mib: float = field(default=0.0)

    @property
    def port(self) -> int:
        return self.process.port

    @property
    def pid(self) -> int:
        return self.process.popen.pid

    @property
    def url(self) -> str:
        return self.process.url

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def client(self, timeout_s: float = 30, **headers: str) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=timeout_s, headers=headers)

    def status_of(self, method: str, path: str, **options: Any) -> int:
        """Return the status of one ordinary request; options as of httpx."""
        with self.client() as client:
            return client.request(method, path, **options).status_code

    def lives(self) -> bool:
        """Return whether it is the process that was started, was not killed for its memory, and is alive."""
        killed = self.group.kills() if self.group else 0
        return self.process.popen.poll() is None and not killed and self.process.is_ready()

    def cpu_s(self) -> float:
        """Return the CPU time of the server, its children and their ended children, in seconds."""
        return sum(map(_cpu_with_ended_children_s, self.process.tree()))

    def peak_mib(self) -> float:
        return self.group.peak_mib() if self.group else self._peak_mib

    def memory(self) -> str:
        """Return the peak of its memory, and how it was measured."""
        how = "in its memory cgroup" if self.group else "resident, sampled: no memory cgroup can be made here"
        killed = self.group.kills() if self.group else 0
        return f"peak {self.peak_mib():.0f} MiB {how}" + (f", killed for its memory {killed} times" if killed else "")

    def fits(self) -> bool:
        """Return whether it lives, within compose's memory."""
        return self.lives() and self.peak_mib() <= compose_limit_mib()

    def watch(self) -> Watch:
        """Return a bystander, who probes the server and predicts while the context is open."""
        return Watch(self.port, self.pid)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Sample its memory where no cgroup does, and stop the server at the end."""
        stopped = threading.Event()
        if self.group is None:
            threading.Thread(target=self.sample_memory, args=(stopped,), daemon=True).start()
        try:
            yield
        finally:
            stopped.set()
            self.process.stop()

    def sample_memory(self, stopped: threading.Event) -> None:
        while not stopped.wait(0.05):
            try:
                self._peak_mib = max(self._peak_mib, sum(self.process.resident_mib()))
            except (OSError, IndexError):  # a process ended between two looks
                continue


@dataclass(frozen=True)
class Arena:
    seed: int
    is_short: bool
    folder: Path

    def random(self, name: str) -> random.Random:
        return random.Random(f"{self.seed} {name}")

    def count(self, full: int, short: int) -> int:
        return short if self.is_short else full

    def new_folder(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self.folder))

    @contextmanager
    def server(
        self,
        *options: str,
        trainer: str = "external",
        data_dir: Path | None = None,
        prefix: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
    ) -> Iterator[Server]:
        """Start a server, yield it when it is ready, and stop it at the end.

        Its memory limit and its settings are compose's, unless it starts trainers, which have their own there.
        """
        folder = self.new_folder()
        limit: AbstractContextManager[MemoryGroup | None] = nullcontext()
        if trainer == "external":
            limit = memory_group(compose_limit_mib())
            environment = {**compose_environment(), **(environment or {})}
        with limit as group:
            for attempt in range(PORT_ATTEMPTS):
                server = start_server(
                    data_dir or folder / "data",
                    folder / f"log-{attempt}",
                    group,
                    *options,
                    trainer=trainer,
                    prefix=prefix,
                    environment=environment,
                )
                try:
                    server.process.wait_for(server.process.is_ready)
                    break
                except RuntimeError:
                    server.process.stop()
                    if "already in use" not in server.log:
                        raise
            with server.running():
                yield server


def start_server(
    data_dir: Path,
    log_file: Path,
    group: MemoryGroup | None,
    *options: str,
    trainer: str = "external",
    prefix: tuple[str, ...] = (),
    environment: Mapping[str, str] | None = None,
) -> Server:
    """Start a server without waiting until it is ready."""
    port = processes.free_port()
    command = [*prefix, *processes.serve_command(port, data_dir, *options, trainer=trainer)]
    with log_file.open("ab") as log:
        process = processes.start(group.wrap(command) if group else command, port, environment or {}, log)
    return Server(process, data_dir, log_file, group)


def run_command(*arguments: str, timeout_s: float = 60, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `inkling` with these arguments and wait until it ends."""
    command = processes.serve_command(0, Path())[:1]
    return subprocess.run(
        [*command, *arguments],
        cwd=processes.ROOT,
        env={**os.environ, "PYTHONPATH": str(processes.ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def wait_for(condition: Callable[[], object], seconds: float, every_s: float = 0.05) -> bool:
    """Call `condition` until it returns something true; return whether it did in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(every_s)
    return False


def _cpu_with_ended_children_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # it has ended; its time is in its parent's
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
