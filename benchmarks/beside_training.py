"""`python -m benchmarks.beside_training`: what a training run costs the predictions beside it, on the same processors.

An open loop at a constant rate: request number i is due at i/300 s, whatever became of those before, and its latency
counts from then, so that a server that stalls is charged for everyone who would have waited. Quiet rounds and rounds
in which a run of the recipe `accurate` trains take turns. Every answer must be that of a server at rest, byte
for byte.
"""

import http.client
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np

from tests.digits import write_mnist
from tests.servers import Server, start_server

RATE = 300
"""Requests a second."""
ROUNDS = 5
ROUND_S = 6.0
CONNECTIONS = 8
DEADLINE_S = 300
IMAGE = Path(__file__).parents[1] / "docs" / "digits" / "7.png"
PNG = {"Content-Type": "image/png"}
MOST = 2.0
"""Times the quiet p99 that the p99 beside a run may be."""


@dataclass
class Load:
    """What became of the requests of some rounds."""

    p99_ms: list[float] = field(default_factory=list)
    median_ms: list[float] = field(default_factory=list)
    slowest_ms: list[float] = field(default_factory=list)
    sent: int = 0
    lost: list[str] = field(default_factory=list)

    def add(self, latencies_s: list[float], lost: list[str]) -> None:
        for figures, percentile in ((self.median_ms, 50), (self.p99_ms, 99), (self.slowest_ms, 100)):
            figures.append(float(np.percentile(latencies_s, percentile)) * 1e3)
        self.sent += len(latencies_s)
        self.lost += lost

    def row(self, name: str) -> str:
        median, p99 = statistics.median(self.median_ms), statistics.median(self.p99_ms)
        return f"| {name} | {median:.2f} | {p99:.2f} | {max(self.slowest_ms):.1f} | {self.sent} | {len(self.lost)} |"


@dataclass(frozen=True)
class Measured:
    quiet: Load
    starting: Load
    training: Load
    steps_a_second: float
    """Of the run, while predictions came."""

    @property
    def ratios(self) -> list[float]:
        return [busy / quiet for busy, quiet in zip(self.training.p99_ms, self.quiet.p99_ms, strict=True)]

    @property
    def is_good(self) -> bool:
        lost = self.quiet.lost or self.starting.lost or self.training.lost
        return statistics.median(self.ratios) <= MOST and not lost

    def section(self) -> str:
        ratios = self.ratios
        return "\n".join(
            [
                "## Predictions beside a training run",
                "",
                f"{RATE} PNG uploads a second, one worker, a run of the recipe `accurate` on the same {processors()}.",
                "",
                "| | median, ms | p99, ms | slowest, ms | requests | lost |",
                "|---|---|---|---|---|---|",
                self.quiet.row("quiet"),
                self.training.row("while a run trains"),
                self.starting.row("while a trainer starts: TensorFlow is loaded, the steps are compiled"),
                "",
                f"p99 beside a run, times the quiet one: **{statistics.median(ratios):.2f}** "
                f"({min(ratios):.2f} to {max(ratios):.2f}) over {ROUNDS} rounds. "
                f"The run takes {self.steps_a_second:.0f} steps a second meanwhile.",
                "",
            ]
        )


def main() -> int:
    measured = measure()
    print(measured.section())
    for lost in sorted({*measured.quiet.lost, *measured.starting.lost, *measured.training.lost}):
        print(f"lost: {lost}", file=sys.stderr)
    return 0 if measured.is_good else 1


def section() -> str:
    """Measure, and return the figures as a section of RESULTS.md."""
    return measure().section()


def measure() -> Measured:
    quiet, starting, training = Load(), Load(), Load()
    steps = 0
    with (
        mnist() as mnist_dir,
        tempfile.TemporaryDirectory() as folder,
        start_server(Path(folder), INKLING_MNIST_DIR=str(mnist_dir)) as server,
        server.client() as client,
    ):
        expected = client.post("/predict", content=IMAGE.read_bytes(), headers=PNG).raise_for_status().content
        send(server, expected, 1.0)  # warm-up
        for round_ in range(ROUNDS):
            quiet.add(*send(server, expected))
            run = f"/train/{client.post('/train', json={'recipe': 'accurate', 'promote': 'never'}).json()['id']}"
            if round_ == 0:
                starting.add(*send(server, expected))
            wait_until(lambda run=run: step_of(client, run), "the run trains")  # type: ignore[misc]
            before = step_of(client, run)
            training.add(*send(server, expected))
            steps += step_of(client, run) - before
            client.delete(run).raise_for_status()
            wait_until(lambda: is_idle(server), "the trainer has stopped")
    return Measured(quiet, starting, training, steps / (ROUNDS * ROUND_S))


def send(server: Server, expected: bytes, seconds: float = ROUND_S) -> tuple[list[float], list[str]]:
    """Send requests at the constant rate; return each one's seconds from when it was due, and what was lost."""
    address = httpx.URL(server.url)
    body = IMAGE.read_bytes()
    latencies: list[float] = []
    lost: list[str] = []
    begins = time.perf_counter() + 0.2

    def send_every(first: int) -> None:
        connection = http.client.HTTPConnection(address.host, address.port, timeout=30)
        for i in range(first, int(RATE * seconds), CONNECTIONS):
            due = begins + i / RATE
            time.sleep(max(0.0, due - time.perf_counter()))
            try:
                connection.request("POST", "/predict", body, PNG)
                answer = connection.getresponse()
                content = answer.read()
                if answer.status != 200 or content != expected:
                    lost.append(f"{answer.status} {content[:200]!r}")
            except (OSError, http.client.HTTPException) as error:
                lost.append(repr(error))
                connection.close()
            latencies.append(time.perf_counter() - due)
        connection.close()

    threads = [threading.Thread(target=send_every, args=(first,)) for first in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return latencies, lost


def step_of(client: httpx.Client, run: str) -> int:
    answer = client.get(run).raise_for_status().json()
    if answer["state"] not in ("queued", "running"):
        raise SystemExit(f"the run is {answer['state']}: {answer['error']}")
    return int(answer["step"])


def is_idle(server: Server) -> bool:
    """Whether the server's processes take next to no processor time."""
    before = processor_s(server)
    time.sleep(1.0)
    return processor_s(server) - before < 0.1


def processor_s(server: Server) -> float:
    """Return the processor time that the server and its children have taken, in seconds."""
    pid = server.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    total = 0
    for process in (pid, *map(int, children)):
        user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
        total += int(user) + int(system)
    return total / os.sysconf("SC_CLK_TCK")


def wait_until(look: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not look():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {DEADLINE_S} s in vain until {what}")
        time.sleep(0.1)


@contextmanager
def mnist() -> Iterator[Path]:
    if folder := os.environ.get("INKLING_MNIST_DIR"):
        yield Path(folder)
        return
    with tempfile.TemporaryDirectory() as made:
        yield write_mnist(Path(made), train=8000)


def processors() -> str:
    count = len(os.sched_getaffinity(0))
    return "processor" if count == 1 else f"{count} processors"


if __name__ == "__main__":
    sys.exit(main())
