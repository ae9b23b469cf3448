"""A process beside an attack: probes, each on a new connection, and an ordinary client that predicts digits.

It is a process of its own with the standard library only, so that the attack's work does not delay its clock. On a busy
machine this process, too, waits for a CPU: the time of an answer is when the kernel got it (SO_TIMESTAMPNS, `socket(7)`
of Linux). For each probe it also reads how long the server's main thread, its event loop, waited for a CPU in this
time: the rest of a late answer is a loop that was blocked.
"""

import json
import socket
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.processes import ROOT

PROBE_EVERY_S = 0.01
PREDICT_EVERY_S = 0.02
TIMEOUT_S = 10.0
FAILED_MS = 1e6
"""The latency of an answer that is not a 200."""
ADDRESS = "127.0.0.1"
SO_TIMESTAMPNS = 35
"""Of Linux; Python has no name for it. A received message says when it came: seconds and nanoseconds since 1970."""
TIMESTAMP = struct.Struct("@ll")


class Watch:
    """A bystander's life and, after it, his measurements in milliseconds."""

    def __init__(self, port: int, pid: int) -> None:
        self._command = [sys.executable, "-m", "benchmarks.scoreboard.bystander", str(port), str(pid)]
        self.probes_ms: list[float] = []
        self.blocked_ms: list[float] = []
        self.predictions_ms: list[float] = []
        self.failures: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._popen = subprocess.Popen(
            self._command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"PYTHONPATH": str(ROOT)}
        )
        assert self._popen.stdout  # noqa: S101
        self._popen.stdout.readline()  # it has begun
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        output, _ = self._popen.communicate(b"", timeout=2 * TIMEOUT_S)
        for name, value in json.loads(output).items():
            setattr(self, name, value)

    def probes(self) -> str:
        return f"probes p99 {percentile(self.probes_ms, 99):.0f} ms, max {_shown(max(self.probes_ms))}"

    def blocked(self) -> str:
        return f"event loop blocked at most {max(self.blocked_ms):.0f} ms"

    def predictions(self) -> str:
        failures = f", failed: {self.failures}" if self.failures else ""
        return (
            f"{len(self.predictions_ms)} ordinary predictions p50 {percentile(self.predictions_ms, 50):.0f} ms, "
            f"p99 {_shown(percentile(self.predictions_ms, 99))}{failures}"
        )

    def probes_hold(self, limit_ms: float = 50.0) -> bool:
        """Return whether 99 of 100 probes are in time, and no late one is the server's fault."""
        return percentile(self.probes_ms, 99) < limit_ms and max(self.blocked_ms) < limit_ms

    def predictions_hold(self, limit_ms: float = 100.0) -> bool:
        return percentile(self.predictions_ms, 99) < limit_ms


def percentile(values: list[float], percent: float) -> float:
    """Return a percentile by the nearest rank; infinite if there are no values."""
    if not values:
        return float("inf")
    return sorted(values)[min(len(values) - 1, int(len(values) * percent / 100))]


def _shown(milliseconds: float) -> str:
    return "no answer" if milliseconds >= FAILED_MS else f"{milliseconds:.0f} ms"


class _Bystander:
    def __init__(self, port: int, pid: int) -> None:
        self._port = port
        self._scheduling = Path(f"/proc/{pid}/task/{pid}/schedstat")
        self._stopped = threading.Event()
        self._stamping = socket.socket()  # while it is open, the kernel stamps all messages from the first one on
        self._stamping.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.result: dict[str, list[float]] = {"probes_ms": [], "blocked_ms": [], "predictions_ms": []}
        self.failures: dict[str, int] = {}

    def probe(self) -> None:
        while not self.result["probes_ms"] or not self._stopped.wait(PROBE_EVERY_S):
            waited_ms, started = self._waited_ms(), time.time()
            answered = self._livez()
            spent_ms = ((answered or time.time()) - started) * 1e3
            self.result["blocked_ms"].append(max(0.0, spent_ms - (self._waited_ms() - waited_ms)))
            self.result["probes_ms"].append(spent_ms if answered else FAILED_MS)

    def _livez(self) -> float | None:
        """Return when the kernel got the answer, in seconds since 1970; None if there was no 200."""
        try:
            with socket.create_connection((ADDRESS, self._port), timeout=TIMEOUT_S) as connection:
                connection.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
                connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                answer, ancillary, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(TIMESTAMP.size))
        except OSError as error:
            self._count(f"probe {type(error).__name__}")
            return None
        if not answer.startswith(b"HTTP/1.1 200"):
            self._count("probe not 200")
            return None
        if not ancillary:
            return time.time()  # later than it came
        seconds, nanoseconds = TIMESTAMP.unpack(ancillary[0][2])
        return float(seconds) + nanoseconds / 1e9

    def _waited_ms(self) -> float:
        """Return how long the server's main thread has waited for a CPU; 0 where the kernel does not count it."""
        try:
            return int(self._scheduling.read_text().split()[1]) / 1e6
        except (OSError, IndexError):
            return 0.0

    def predict(self) -> None:
        connection = HTTPConnection(ADDRESS, self._port, timeout=TIMEOUT_S)
        image = bytes(784)
        while not self._stopped.wait(PREDICT_EVERY_S):
            started = time.perf_counter()
            try:
                connection.request("POST", "/predict", image, {"Content-Type": "application/octet-stream"})
                answer = connection.getresponse()
                answer.read()
                kind = "" if answer.status == 200 else str(answer.status)
            except (OSError, HTTPException) as error:
                kind = type(error).__name__
                connection.close()
            spent_ms = (time.perf_counter() - started) * 1e3
            self.result["predictions_ms"].append(FAILED_MS if kind else spent_ms)
            if kind:
                self._count(kind)

    def _count(self, kind: str) -> None:
        self.failures[kind] = self.failures.get(kind, 0) + 1

    def run(self) -> None:
        with ThreadPoolExecutor(2) as threads:
            running = [threads.submit(self.probe), threads.submit(self.predict)]
            print("started", flush=True)
            sys.stdin.read()
            self._stopped.set()
            for each in running:
                each.result()  # one that ended early fails the row
        print(json.dumps({**self.result, "failures": self.failures}))


if __name__ == "__main__":
    _Bystander(int(sys.argv[1]), int(sys.argv[2])).run()
