"""Predicting without HTTP, against the plain ways to write it."""

import statistics
import time
from collections.abc import Callable

from benchmarks.contestants import REPEATS, Contestant, prediction_contestants
from benchmarks.verdicts import Tell, spread
from inkling.model_card.markdown import table

ROUNDS = 5


def section(tell: Tell) -> str:
    parts = ["## Without HTTP"]
    for count in (1, 1000):
        title = f"Predicting {count:,} images, {REPEATS} times"
        tell(title)
        parts.append(table((title, "ms", "time by the first's"), rows(prediction_contestants(count))))
    return "\n\n".join(parts)


def rows(contestants: list[Contestant]) -> list[list[str]]:
    """Return each contestant's median time and its ratio to the first one's, round by round, with its spread."""
    for contestant in contestants:
        contestant.run()  # warm-up, and compilation where there is one
    rounds = [[seconds(contestant.run) for contestant in contestants] for _ in range(ROUNDS)]
    return [
        [
            contestant.name,
            f"{statistics.median(times[i] for times in rounds) * 1e3:.1f}",
            spread([times[i] / times[0] for times in rounds]),
        ]
        for i, contestant in enumerate(contestants)
    ]


def seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started
