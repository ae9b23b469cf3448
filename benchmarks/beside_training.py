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
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np

from benchmarks.images import mnist_dir
from benchmarks.verdicts import Tell, Verdict
from inkling.model_card.markdown import paragraph, table
from tests.support.servers import Server, start_server

RATE = 300
"""Requests a second."""
ROUNDS = 5
ROUND_S = 6.0
CONNECTIONS = 8
DEADLINE_S = 300
IMAGE = Path(__file__).parents[1] / "docs" / "digits" / "7.png"
PNG = {"Content-Type": "image/png"}
OVERRIDES = {"display_step": 100, "training_steps": 100_000}
"""As the recipe is, but the first line of progress comes sooner."""
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

    def row(self, name: str) -> list[str]:
        median, p99 = statistics.median(self.median_ms), statistics.median(self.p99_ms)
        slowest = f"{max(self.slowest_ms):.1f}"
        return [name, f"{median:.2f}", f"{p99:.2f}", slowest, f"{self.sent:,}", str(len(self.lost))]


@dataclass(frozen=True)
class Beside:
    quiet: Load
    training: Load
    starting: Load
    steps_a_second: float
    """Of the run, while predictions came."""

    @property
    def ratios(self) -> list[float]:
        return [busy / quiet for busy, quiet in zip(self.training.p99_ms, self.quiet.p99_ms, strict=True)]

    @property
    def lost(self) -> list[str]:
        return self.quiet.lost + self.training.lost + self.starting.lost


def run(tell: Tell) -> Beside:
    quiet, starting, training = Load(), Load(), Load()
    steps = 0
    with (
        mnist_dir() as (images, _),
        tempfile.TemporaryDirectory() as folder,
        start_server(Path(folder), INKLING_MNIST_DIR=str(images)) as server,
        server.client() as client,
    ):
        expected = client.post("/predict", content=IMAGE.read_bytes(), headers=PNG).raise_for_status().content
        send(server, expected, 1.0)  # warm-up
        for round_ in range(ROUNDS):
            quiet.add(*send(server, expected))
            body = {"recipe": "accurate", "overrides": OVERRIDES, "promote": "never"}
            path = client.post("/train", json=body).raise_for_status().headers["location"]
            if round_ == 0:
                starting.add(*send(server, expected))
            wait_until(lambda path=path: step_of(client, path), "the run trains")  # type: ignore[misc]
            before = step_of(client, path)
            training.add(*send(server, expected))
            steps += step_of(client, path) - before
            client.delete(path).raise_for_status()
            wait_until(lambda: is_idle(server), "the trainer has stopped")
            tell(f"beside a training run, round {round_ + 1} of {ROUNDS}")
    return Beside(quiet, training, starting, steps / (ROUNDS * ROUND_S))


def section(beside: Beside) -> str:
    text = (
        f"{RATE} PNG uploads a second over {CONNECTIONS} connections, one worker, the default settings; latencies "
        "count from when a request is due, whatever became of those before. The run is of the recipe `accurate`; it "
        f"takes {beside.steps_a_second:.0f} steps a second meanwhile. Quiet rounds and rounds with a run take turns, "
        f"{ROUNDS} each."
    )
    rows = [
        beside.quiet.row("quiet"),
        beside.training.row("while a run trains"),
        beside.starting.row("while a trainer starts: TensorFlow is loaded, the steps are compiled"),
    ]
    header = ("", "median, ms", "p99, ms", "slowest, ms", "requests", "lost")
    return "\n\n".join(["## Predictions beside a training run", paragraph(text), table(header, rows)])


def verdicts(beside: Beside) -> list[Verdict]:
    ratios = beside.ratios
    return [
        (
            f"p99 at {RATE} predictions a second beside a training run, by quiet",
            f"at most {MOST}x",
            f"{statistics.median(ratios):.2f}x ({min(ratios):.2f} to {max(ratios):.2f})",
            statistics.median(ratios) <= MOST,
        ),
        ("predictions lost beside a training run", "none", str(len(beside.lost)), not beside.lost),
    ]


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


if __name__ == "__main__":
    print(section(run(lambda line: print(line, file=sys.stderr, flush=True))))
