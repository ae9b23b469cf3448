"""Real server processes for tests."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

import httpx

START_S = 60


@dataclass(frozen=True)
class Server:
    process: subprocess.Popen[str]
    url: str
    log: list[str]
    """Its lines on standard error so far."""

    def client(self, timeout_s: float = 30) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=timeout_s)


@contextmanager
def start_server(data_dir: Path, *arguments: str, **environment: str) -> Iterator[Server]:
    """Start `inkling serve` on a free port, yield it when it listens, and stop it with SIGTERM.

    Raises:
        RuntimeError: it ended, or did not listen in time; with its log.
    """
    with _start(["-m", "app.cli"], data_dir, arguments, environment) as server:
        yield server


@contextmanager
def start_changed_server(program: str, data_dir: Path, *arguments: str) -> Iterator[Server]:
    """Start a program in Python that ends with the call of `app.cli.main`, as `start_server` does."""
    with _start(["-c", program], data_dir, arguments, {}) as server:
        yield server


@contextmanager
def _start(
    program: list[str], data_dir: Path, arguments: tuple[str, ...], environment: dict[str, str]
) -> Iterator[Server]:
    process = subprocess.Popen(
        [sys.executable, *program, "serve", "--port", "0", "--data-dir", str(data_dir), *arguments],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,  # at a terminal, SIGHUP would end it
        stderr=subprocess.PIPE,
        text=True,
    )
    log: list[str] = []
    urls: Queue[str | None] = Queue()

    def read() -> None:
        assert process.stderr
        with process.stderr:
            for line in process.stderr:
                log.append(line.rstrip())
                if found := re.search(r"running on (https?://\S+)", line):
                    urls.put(found[1].replace("0.0.0.0", "127.0.0.1").replace("[::]", "127.0.0.1"))
        urls.put(None)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        url = urls.get(timeout=START_S)
        if url is None:
            raise RuntimeError("the server ended:\n" + "\n".join(log))
        _wait_until_it_listens(url)
        yield Server(process, url, log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
        # The trainer of a killed server goes on, and holds the pipe: the thread then reads and closes it by itself.
        reader.join(1 if process.returncode == -signal.SIGKILL else 30)


def _wait_until_it_listens(url: str) -> None:
    """With several workers, uvicorn names its address before anyone listens there."""
    address = httpx.URL(url)
    deadline = time.monotonic() + START_S
    while True:
        try:
            socket.create_connection((address.host, address.port or 80), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def workers_of(server: Server) -> list[int]:
    """Return the worker processes of a server that serve, the longest-lived first."""
    log = "\n".join(server.log)
    return [pid for pid in spawned_by(server) if f"Started server process [{pid}]" in log]


def spawned_by(server: Server) -> list[int]:
    """Return the worker processes of a server and its spare, by the kernel's list of its children."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    return [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
