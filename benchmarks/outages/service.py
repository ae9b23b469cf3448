"""A server, trainers and clients around one registry, as processes of their own."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from benchmarks.digits import make_digits
from benchmarks.processes import ROOT, Process, inkling_environment
from inkling.network.recipe import TUTORIAL, Recipe
from inkling.registry.records import Run
from inkling.registry.registry import Registry

PREDICTIONS_PER_S = 50
END_S = 1800.0
"""The longest that a run may take."""
WITH_CLOCK = """
import sys
from datetime import UTC, datetime, timedelta
from inkling.registry import rows
offset = timedelta(seconds=float(sys.argv.pop(1)))
rows.now = lambda: datetime.now(UTC) + offset
from training.__main__ import main
sys.exit(main())
"""
"""A trainer whose clock is off."""
RAW = {"Content-Type": "application/octet-stream"}


@dataclass
class Clients:
    """A client that asks for the same prediction again and again. Its thread owns the counts."""

    answers: int = 0
    failures: list[str] = field(default_factory=list)
    slowest_s: float = 0.0

    def in_words(self) -> str:
        return f"{self.answers:,} answers, {len(self.failures)} failed or wrong, the slowest {self.slowest_s:.2f} s"


@contextmanager
def predicting(server: Process, clients: Clients) -> Iterator[None]:
    """Ask a server for predictions while the context is open, and count the answers.

    Each must be 200, with the digit of the first.
    """
    stop = threading.Event()
    image = make_digits(1, seed=3)[0].tobytes()
    with server.client() as client:
        expected = (
            client.post("/predict", content=image, headers=RAW).raise_for_status().json()["predictions"][0]["digit"]
        )

        def ask() -> None:
            while not stop.wait(1 / PREDICTIONS_PER_S):
                started = time.perf_counter()
                try:
                    answer = client.post("/predict", content=image, headers=RAW)
                    if answer.status_code != 200 or answer.json()["predictions"][0]["digit"] != expected:
                        clients.failures.append(f"{answer.status_code} {answer.text[:100]}")
                except httpx.HTTPError as error:
                    clients.failures.append(repr(error))
                clients.answers += 1
                clients.slowest_s = max(clients.slowest_s, time.perf_counter() - started)

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


@contextmanager
def trainers(
    folder: Path, url: str, mnist_dir: Path, clocks_s: Sequence[float] = (0,), **environment: str
) -> Iterator[None]:
    """Start a trainer for each clock, which is that many seconds off, and stop them at the end.

    Their logs are in `folder`.
    """
    with ExitStack() as stack:
        for number, offset_s in enumerate(clocks_s, 1):
            log = stack.enter_context((folder / f"trainer-{number}.log").open("wb"))
            flags = ["--data-dir", str(folder / f"trainer-{number}"), "--mnist-dir", str(mnist_dir)]
            process = subprocess.Popen(
                [sys.executable, "-c", WITH_CLOCK, str(offset_s), "worker", *flags],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                env={**inkling_environment(), "INKLING_DATABASE_URL": url, **environment},
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)
        yield


def queue(registry: Registry, steps: int) -> Run:
    """Queue a run of a recipe that is not promoted: the predictions stay those of the network that ships."""
    return registry.runs.queue(recipe(steps), "never", max_queued=100)[0]


def recipe(steps: int) -> Recipe:
    return TUTORIAL.with_overrides({"training_steps": steps, "display_step": 100, "validation_size": 500, "seed": 7})


def wait(look: Callable[[], bool], what: str) -> None:
    """Look twice per second until a condition holds.

    Raises:
        TimeoutError: it did not within END_S.
    """
    deadline = time.monotonic() + END_S
    while not look():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {END_S:.0f} s until {what}")
        time.sleep(0.5)


def wait_for_end(registry: Registry, run: Run) -> Run:
    wait(lambda: registry.runs.get(run.id).state not in ("queued", "running"), f"run {run.id} has ended")
    return registry.runs.get(run.id)


def outcome(registry: Registry, ended: Run, undisturbed: Run) -> tuple[str, bool]:
    """Return in words how a run ended, compared with one of the same recipe, and whether it lost nothing."""
    if ended.version is None or undisturbed.version is None:
        return f"{ended.state}: {ended.error or 'no version'}", False
    digests = [registry.versions.get(run.version or 0).digest for run in (ended, undisturbed)]
    is_same = digests[0] == digests[1]
    words = "the same SHA-256 as the undisturbed run" if is_same else "ANOTHER SHA-256 than the undisturbed run"
    return f"{ended.state}, attempt {ended.attempt}, {words}", is_same and ended.attempt == 1
