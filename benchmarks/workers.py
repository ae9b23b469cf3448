"""Two workers against one, with one and many images a request."""

import os
import statistics
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import bulk, load, processes
from benchmarks.load import Post
from benchmarks.serving import BOUNDARY, JUDGED
from benchmarks.verdicts import Tell, Verdict, spread
from inkling.model_card.markdown import paragraph, table
from tests.support.digits import make_digits

ROUNDS = 5
SECONDS = 2.0
IMAGES = (1, 10, 100)
LEAST = 1.6
"""Of two workers to one, where wrk leaves room: with the most images a request, of which it has least to send."""


@dataclass(frozen=True)
class Workers:
    rates: dict[tuple[int, int], list[float]]
    """Images a second, round by round, by the number of workers and of images a request."""

    def ratios(self, images: int) -> list[float]:
        return [two / one for one, two in zip(self.rates[1, images], self.rates[2, images], strict=True)]


def run(tell: Tell) -> Workers:
    rates: dict[tuple[int, int], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        posts = {}
        for count in IMAGES:
            body = Path(folder) / f"{count}.form"
            body.write_bytes(bulk.form(make_digits(count, seed=6)[0]))
            posts[count] = Post(f"multipart/form-data; boundary={BOUNDARY}", body)
        running = {}
        for workers in (1, 2):
            port = processes.free_port()
            command = processes.ours(port, Path(folder) / str(workers), "--workers", str(workers))
            running[workers] = stack.enter_context(processes.started(command, port))
            running[workers].wait_for(running[workers].is_ready)
            load.send(posts[10], f"{running[workers].url}/predict", JUDGED, 2)  # until the second worker is there, too
        for number in range(1, ROUNDS + 1):
            for count, post in posts.items():
                for workers, process in running.items():
                    measured = load.send(post, f"{process.url}/predict", JUDGED, SECONDS)
                    rates.setdefault((workers, count), []).append(measured.requests_per_s * count)
            tell(f"workers, round {number} of {ROUNDS}")
    return Workers(rates)


def section(measured: Workers) -> str:
    text = (
        f"Forms of PNGs over {JUDGED} connections, {ROUNDS} rounds. wrk itself takes a part of the {os.cpu_count()} "
        "cores: with one image a request nearly a whole one, with many images hardly any."
    )
    rows = [
        [
            str(count),
            *(f"{statistics.median(measured.rates[n, count]):,.0f}" for n in (1, 2)),
            spread(measured.ratios(count)),
        ]
        for count in IMAGES
    ]
    header = ("images a request", "images/s, 1 worker", "2 workers", "growth")
    return "\n\n".join(["## Workers", paragraph(text), table(header, rows)])


def verdicts(measured: Workers) -> list[Verdict]:
    ratios = measured.ratios(IMAGES[-1])
    return [
        (
            f"2 workers by 1, {IMAGES[-1]} images a request",
            f"at least {LEAST}x",
            spread(ratios),
            statistics.median(ratios) >= LEAST,
        )
    ]
