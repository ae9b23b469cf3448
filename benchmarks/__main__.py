"""`make bench`: the contestants take turns in one run on one machine, and what is reported are their ratios."""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from benchmarks.contestants import REPEATS, Contestant, prediction_contestants, training_contestants
from tests.digits import write_mnist

ROUNDS = 5


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        mnist_dir = Path(os.environ.get("INKLING_MNIST_DIR") or write_mnist(Path(folder)))
        print(f"{os.cpu_count()} cores, images of {mnist_dir}, {ROUNDS} rounds")
        report("Training, 300 steps of the tutorial", training_contestants(mnist_dir))
        report(f"Predicting one image, {REPEATS} times", prediction_contestants(1))
        report(f"Predicting 1,000 images, {REPEATS} times", prediction_contestants(1000))


def report(title: str, contestants: list[Contestant]) -> None:
    """Print each contestant's median time and its ratio to the first one's, round by round, with its spread."""
    print(f"\n{title}")
    for contestant in contestants:
        contestant.run()  # warm-up, and compilation where there is one
    rounds = [[seconds(contestant.run) for contestant in contestants] for _ in range(ROUNDS)]
    for i, contestant in enumerate(contestants):
        ratios = [times[i] / times[0] for times in rounds]
        median = statistics.median(times[i] for times in rounds)
        print(
            f"  {contestant.name:<44} {median * 1e3:10.3f} ms   "
            f"{statistics.median(ratios):6.2f}x  ({min(ratios):.2f} to {max(ratios):.2f})"
        )


def seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
