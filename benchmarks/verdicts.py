"""Progress lines, timings, ratios with their spread, and requirements with their results: shared by all benchmarks."""

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

Log = Callable[[str], None]
"""Takes a line of progress."""


class Verdict(NamedTuple):
    """A requirement and its result."""

    subject: str
    required: str
    measured: str
    is_met: bool


def log_to_stderr(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def spread(ratios: Sequence[float], unit: str = "x") -> str:
    """Return the median of the rounds' ratios with their minimum and maximum."""
    return f"{statistics.median(ratios):.2f}{unit} ({min(ratios):.2f} to {max(ratios):.2f})"


def seconds(run: Callable[[], object]) -> float:
    """Return the wall time of a call."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started
