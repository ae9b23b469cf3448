"""Training and predicting without HTTP, against the plain ways to write them."""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from app.report.markdown import table
from benchmarks.contestants import REPEATS, Contestant, prediction_contestants, training_contestants
from benchmarks.serving import Tell, spread
from tests.digits import write_mnist

ROUNDS = 5


def section(tell: Tell) -> str:
    with tempfile.TemporaryDirectory() as folder:
        mnist_dir = Path(os.environ.get("INKLING_MNIST_DIR") or write_mnist(Path(folder)))
        races = {
            "Training, 300 steps of the tutorial": training_contestants(mnist_dir),
            f"Predicting one image, {REPEATS} times": prediction_contestants(1),
            f"Predicting 1,000 images, {REPEATS} times": prediction_contestants(1000),
        }
        parts = ["## Without HTTP"]
        for title, contestants in races.items():
            tell(title)
            parts.append(table((title, "ms", "time by the first's"), rows(contestants)))
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
