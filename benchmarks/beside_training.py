"""`python -m benchmarks.beside_training`: the latency of predictions while a training run uses the same CPU cores.

An open loop at a constant rate: request number i is due at i/300 s, no matter how the earlier ones went, and its
latency counts from then. So a stall of the server counts for every request that it delays. Quiet rounds and rounds in
which a run of the recipe `accurate` trains take turns. Every answer must be byte-identical to that of an idle server.
"""

import http.client
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np

from benchmarks.digits import mnist_dir
from benchmarks.processes import Process, running_inkling
from benchmarks.serving import PNG
from benchmarks.verdicts import Log, Verdict, log_to_stderr, spread
from inkling.model_card.markdown import paragraph, table

RATE = 300
"""Requests per second."""
ROUNDS = 5
ROUND_S = 6.0
CONNECTIONS = 8
DEADLINE_S = 300
HEADERS = {"Content-Type": "image/png"}
OVERRIDES = {"display_step": 100, "training_steps": 100_000}
"""The recipe with an earlier first line of progress."""
MOST = 2.0
"""The largest ratio of the p99 beside a run to the quiet p99."""


@dataclass
class Load:
    """The latencies and failures of some rounds."""

    p99_ms: list[float] = field(default_factory=list)
    median_ms: list[float] = field(default_factory=list)
    slowest_ms: list[float] = field(default_factory=list)
    sent: int = 0
    failed: list[str] = field(default_factory=list)

    def add(self, latencies_s: list[float], failed: list[str]) -> None:
        for figures, percentile in ((self.median_ms, 50), (self.p99_ms, 99), (self.slowest_ms, 100)):
            figures.append(float(np.percentile(latencies_s, percentile)) * 1e3)
        self.sent += len(latencies_s)
        self.failed += failed

    def row(self, name: str) -> list[str]:
        median, p99 = statistics.median(self.median_ms), statistics.median(self.p99_ms)
        slowest = f"{max(self.slowest_ms):.1f}"
        return [name, f"{median:.2f}", f"{p99:.2f}", slowest, f"{self.sent:,}", str(len(self.failed))]


@dataclass(frozen=True)
class Beside:
    quiet: Load
    training: Load
    starting: Load
    steps_per_s: float
    """Of the training run, during the predictions."""

    @property
    def ratios(self) -> list[float]:
        return [busy / quiet for busy, quiet in zip(self.training.p99_ms, self.quiet.p99_ms, strict=True)]

    @property
    def failed(self) -> list[str]:
        return self.quiet.failed + self.training.failed + self.starting.failed


def run(log: Log) -> Beside:
    quiet, starting, training = Load(), Load(), Load()
    steps = 0
    with (
        mnist_dir() as (images, _),
        tempfile.TemporaryDirectory() as folder,
        running_inkling(Path(folder), trainer="process", INKLING_MNIST_DIR=str(images)) as server,
        server.client() as client,
    ):
        expected = client.post("/predict", content=PNG.read_bytes(), headers=HEADERS).raise_for_status().content
        send(server, expected, 1.0)  # warm-up
        for round_ in range(ROUNDS):
            quiet.add(*send(server, expected))
            body = {"recipe": "accurate", "overrides": OVERRIDES, "promote": "never"}
            path = client.post("/train", json=body).raise_for_status().headers["location"]
            if round_ == 0:
                starting.add(*send(server, expected))
            wait_until(lambda path=path: step_of(client, path), "the run to train")  # type: ignore[misc]
            before = step_of(client, path)
            training.add(*send(server, expected))
            steps += step_of(client, path) - before
            client.delete(path).raise_for_status()
            wait_until(lambda: is_idle(server), "the trainer to stop")
            log(f"beside a training run, round {round_ + 1} of {ROUNDS}")
    return Beside(quiet, training, starting, steps / (ROUNDS * ROUND_S))


def section(beside: Beside) -> str:
    text = (
        f"{RATE} PNG uploads per second over {CONNECTIONS} connections, one worker, default settings. A latency counts "
        "from the moment when the request is due, no matter how the earlier ones went. The training run is of the "
        f"recipe `accurate`; it takes {beside.steps_per_s:.0f} steps per second during the load. Quiet rounds and "
        f"rounds with a run take turns, {ROUNDS} each."
    )
    rows = [
        beside.quiet.row("quiet"),
        beside.training.row("during a training run"),
        beside.starting.row("during the start of a trainer: TensorFlow loads, the steps are compiled"),
    ]
    header = ("", "median, ms", "p99, ms", "slowest, ms", "requests", "failed")
    return "\n\n".join(["## Predictions beside a training run", paragraph(text), table(header, rows)])


def verdicts(beside: Beside) -> list[Verdict]:
    ratios = beside.ratios
    return [
        Verdict(
            f"p99 at {RATE} predictions per second: beside a training run / quiet",
            f"at most {MOST}x",
            spread(ratios),
            statistics.median(ratios) <= MOST,
        ),
        Verdict("failed predictions beside a training run", "none", str(len(beside.failed)), not beside.failed),
    ]


def send(server: Process, expected: bytes, seconds: float = ROUND_S) -> tuple[list[float], list[str]]:
    """Send requests at the constant rate; return their latencies in seconds, and the failures.

    The threads that send have real-time priority where that is allowed: what is measured is the server.
    """
    address = httpx.URL(server.url)
    body = PNG.read_bytes()
    latencies: list[float] = []
    failed: list[str] = []
    begin = time.perf_counter() + 0.2

    def send_every(first: int) -> None:
        with suppress(OSError):  # of other systems, or not allowed: its own delays are measured, too
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))  # of this thread
        connection = http.client.HTTPConnection(address.host, address.port, timeout=30)
        for i in range(first, int(RATE * seconds), CONNECTIONS):
            due = begin + i / RATE
            time.sleep(max(0.0, due - time.perf_counter()))
            try:
                connection.request("POST", "/predict", body, HEADERS)
                answer = connection.getresponse()
                content = answer.read()
                if answer.status != 200 or content != expected:
                    failed.append(f"{answer.status} {content[:200]!r}")
            except (OSError, http.client.HTTPException) as error:
                failed.append(repr(error))
                connection.close()
            latencies.append(time.perf_counter() - due)
        connection.close()

    threads = [threading.Thread(target=send_every, args=(first,)) for first in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return latencies, failed


def step_of(client: httpx.Client, run: str) -> int:
    answer = client.get(run).raise_for_status().json()
    if answer["state"] not in ("queued", "running"):
        raise SystemExit(f"the run is {answer['state']}: {answer['error']}")
    return int(answer["step"])


def is_idle(server: Process) -> bool:
    """Return whether the server and its trainer use hardly any CPU time."""
    before = server.cpu_s()
    time.sleep(1.0)
    return server.cpu_s() - before < 0.1


def wait_until(condition: Callable[[], object], event: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {DEADLINE_S} s in vain for {event}")
        time.sleep(0.1)


if __name__ == "__main__":
    print(section(run(log_to_stderr)))
