"""Two workers against one, with one and with many images per request."""

import os
import statistics
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import bulk, load, processes
from benchmarks.digits import make_digits
from benchmarks.load import Post
from benchmarks.serving import BOUNDARY, CONNECTIONS
from benchmarks.verdicts import Log, Verdict, spread
from inkling.model_card.markdown import paragraph, table

ROUNDS = 5
SECONDS = 2.0
IMAGES = (1, 10, 100)
LEAST = 1.6
"""The least ratio of two workers to one, at the most images per request, where wrk itself needs the least CPU time."""


@dataclass(frozen=True)
class Workers:
    rates: dict[tuple[int, int], list[float]]
    """Images per second, round by round, by the number of workers and of images per request."""

    def ratios(self, images: int) -> list[float]:
        return [two / one for one, two in zip(self.rates[1, images], self.rates[2, images], strict=True)]


def run(log: Log) -> Workers:
    rates: dict[tuple[int, int], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        posts = {}
        for count in IMAGES:
            body = Path(folder) / f"{count}.form"
            body.write_bytes(bulk.form(make_digits(count, seed=6)[0]))
            posts[count] = Post(f"multipart/form-data; boundary={BOUNDARY}", body)
        servers = {}
        for workers in (1, 2):
            inkling = processes.running_inkling(Path(folder) / str(workers), "--workers", str(workers))
            servers[workers] = stack.enter_context(inkling)
            # Until the second one is ready, too.
            load.send(posts[10], f"{servers[workers].url}/predict", CONNECTIONS, 2)
        for number in range(1, ROUNDS + 1):
            for count, post in posts.items():
                for workers, process in servers.items():
                    measured = load.send(post, f"{process.url}/predict", CONNECTIONS, SECONDS)
                    rates.setdefault((workers, count), []).append(measured.requests_per_s * count)
            log(f"workers, round {number} of {ROUNDS}")
    return Workers(rates)


def section(measured: Workers) -> str:
    text = (
        f"Forms of PNGs over {CONNECTIONS} connections, {ROUNDS} rounds. wrk itself uses part of the "
        f"{os.cpu_count()} cores: almost one core with one image per request, very little with many."
    )
    rows = [
        [
            str(count),
            *(f"{statistics.median(measured.rates[n, count]):,.0f}" for n in (1, 2)),
            spread(measured.ratios(count)),
        ]
        for count in IMAGES
    ]
    header = ("images per request", "images/s, 1 worker", "2 workers", "ratio")
    return "\n\n".join(["## Workers", paragraph(text), table(header, rows)])


def verdicts(measured: Workers) -> list[Verdict]:
    ratios = measured.ratios(IMAGES[-1])
    return [
        Verdict(
            f"2 workers / 1 worker, {IMAGES[-1]} images per request",
            f"at least {LEAST}x",
            spread(ratios),
            statistics.median(ratios) >= LEAST,
        )
    ]
