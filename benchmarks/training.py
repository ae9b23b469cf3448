"""`python -m benchmarks.training`: the tutorial's training against others, and a step against the machine's limit.

TensorFlow is imported before the clocks start, as everyone needs it but NumPy. All else counts: reading the images into
floats, tracing, compilation, the display lines. Four minutes on two quiet cores.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

from benchmarks.training_contestants import EAGER, FAST, OURS, Training
from tests.digits import write_mnist
from training import dataset, loop
from training.dataset import Dataset
from training.learner import Learner
from training.recipe import ACCURATE, TUTORIAL, Recipe

ROUNDS = 5
EAGER_ROUNDS = (0, 2, 4)
"""The eager loop takes half a minute a round, and is steady."""
LEAST_ACCURACY = 0.85
"""Every contestant must have learned: 0.94 is usual."""
ALL_IMAGES = {"validation_size": 0}
"""As the tutorial; and the others would not validate."""
PLAIN = dict.fromkeys(("rotation", "scale", "shear", "shift", "elastic", "thickness", "damaged"), 0)
STEPS_A_CALL = 100
CALLS = 5
SQUARE = 2048
PRODUCTS = (  # of one image: rows, columns, and how many products of that size a step takes
    (784, 128, 2),  # forward, and back to the weights; nothing asks for the gradient of the images
    (128, 256, 3),
    (256, 10, 3),
)


@dataclass(frozen=True)
class Ratios:
    """One figure a round, divided by another of the same round."""

    values: Sequence[float]

    def __str__(self) -> str:
        return f"**{statistics.median(self.values):.2f}** ({min(self.values):.2f} to {max(self.values):.2f})"


def main() -> None:
    print(section())


def section() -> str:
    """Measure, and return the figures as a section of RESULTS.md."""
    with mnist() as (data, name):
        lines = ["## Training", "", f"The tutorial's recipe, {TUTORIAL.training_steps:,} steps on {name}."]
        lines += ["", *against_others(data), "", *against_the_limit(data), "", *accurate(data)]
    return "\n".join(lines) + "\n"


@contextmanager
def mnist() -> Iterator[tuple[Dataset, str]]:
    """Yield the images to learn from, and their name."""
    if folder := os.environ.get("INKLING_MNIST_DIR"):
        yield dataset.read_folder(Path(folder)), "MNIST"
        return
    with tempfile.TemporaryDirectory() as made:
        yield dataset.read_folder(write_mnist(Path(made))), "2,000 drawn digits (INKLING_MNIST_DIR is not set)"


def against_others(data: Dataset, recipe: Recipe = TUTORIAL) -> list[str]:
    """Have all take turns; return the table of their seconds, and how often ours is as fast."""
    recipe = recipe.with_overrides(ALL_IMAGES)
    short = recipe.with_overrides({"training_steps": 2, "display_step": 1})
    everyone = (OURS, *FAST, EAGER)
    for training in everyone:
        training.run(short, data)  # what TensorFlow loads when it is first asked
    times: dict[str, dict[int, float]] = {training.name: {} for training in everyone}
    accuracies = {}
    for round_ in range(ROUNDS):
        for training in everyone:
            if training is not EAGER or round_ in EAGER_ROUNDS:
                times[training.name][round_], accuracies[training.name] = train(training, recipe, data)
    lines = ["| | seconds, median | rounds | ours is faster by | test accuracy |", "|---|---|---|---|---|"]
    for name, mine in times.items():
        ratios = Ratios([mine[i] / times[OURS.name][i] for i in mine])
        median = statistics.median(mine.values())
        lines.append(f"| {name} | {median:.2f} | {len(mine)} | {ratios} | {accuracies[name]:.3f} |")
    return [*lines, "", "Whole wall time, compilation included; all take the same number of steps of the same batches."]


def train(training: Training, recipe: Recipe, data: Dataset) -> tuple[float, float]:
    """Return the seconds that a training takes, and the test accuracy that it comes to."""
    started = time.perf_counter()
    parameters = training.run(recipe, data)
    taken = time.perf_counter() - started
    right = loop.predict(data.test.images, parameters).argmax(axis=1) == data.test.labels
    if right.mean() < LEAST_ACCURACY:
        raise SystemExit(f"{training.name} has not learned: {right.mean():.3f}")
    return taken, float(right.mean())


def against_the_limit(data: Dataset) -> list[str]:
    """Compare a compiled step with the machine's matrix products, measured in turns with it."""
    recipe = TUTORIAL.with_overrides({**ALL_IMAGES, "display_step": STEPS_A_CALL})
    steps = Steps(recipe, data)
    flops = 2 * recipe.batch_size * sum(rows * columns * count for rows, columns, count in PRODUCTS)
    own = own_products(recipe.batch_size)
    random = np.random.default_rng(0)
    square = random.random((SQUARE, SQUARE), np.float32)
    square_tensor = tf.constant(square)
    limits, owns, rates, waits = [], [], [], []
    for _ in range(ROUNDS):
        by_numpy = best(lambda: square @ square)
        by_tensorflow = best(lambda: tf.matmul(square_tensor, square_tensor).numpy())
        limits.append(2 * SQUARE**3 / min(by_numpy, by_tensorflow) / 1e9)
        owns.append(flops / best(own) / 1e9)
        taken, waited = steps.take(CALLS)
        rates.append(flops / taken / 1e9)
        waits.append(waited / taken)
    shares = Ratios([rate / limit for rate, limit in zip(rates, limits, strict=True)])
    own_shares = Ratios([rate / limit for rate, limit in zip(owns, limits, strict=True)])
    median = statistics.median(rates)
    return [
        f"A step of {recipe.batch_size} images takes {flops / median / 1e6:.3f} ms, for {flops / 1e6:.0f} million "
        "floating point operations in its matrix products.",
        "",
        "| float32 | GFLOP/s, median | share of the limit |",
        "|---|---|---|",
        f"| a {SQUARE}x{SQUARE} product, NumPy or TensorFlow, whichever is faster: **the limit** "
        f"| {statistics.median(limits):.0f} | 1 |",
        f"| the step's eight products alone, NumPy | {statistics.median(owns):.0f} | {own_shares} |",
        f"| the whole step | {median:.0f} | {shares} |",
        "",
        f"Waiting for the numbers of the next images: {statistics.median(waits):.2%} of the time.",
    ]


def accurate(data: Dataset) -> list[str]:
    """Return what a step of the recipe `accurate` takes, with its distortions and without."""
    overrides = {"display_step": STEPS_A_CALL, "training_steps": 100 * STEPS_A_CALL}
    whole = Steps(ACCURATE.with_overrides(overrides), data)
    plain = Steps(ACCURATE.with_overrides({**overrides, **PLAIN}), data)
    rounds = [(whole.take(CALLS), plain.take(CALLS)) for _ in range(ROUNDS)]
    shares = Ratios([1 - without / taken for (taken, _), (without, _) in rounds])
    waits = statistics.median(waited / taken for (taken, waited), _ in rounds)
    taken, without = (statistics.median(round_[i][0] for round_ in rounds) * 1e3 for i in (0, 1))
    return [
        f"The recipe `accurate`, {ACCURATE.batch_size} images a step: "
        f"{taken:.2f} ms, and "
        f"{without:.2f} ms without distortions and damage, which "
        f"cost {shares} of it. Waiting for the numbers of the next images: {waits:.2%}. Tracing and compilation: "
        f"{whole.compilation_s:.1f} s, once.",
    ]


class Steps:
    """A training under way, whose steps are timed; compiled when it is made."""

    def __init__(self, recipe: Recipe, data: Dataset) -> None:
        split, _ = data.hold_out(recipe.validation_size)
        self._tensors = loop._flat(split)
        self._learner = Learner(recipe)
        self._batches = iter(loop._index_batches(recipe, len(split), skip=0))
        self._step = 0
        first, _ = self.take(1)
        again, _ = self.take(1)
        self.compilation_s = (first - again) * recipe.display_step

    def take(self, calls: int) -> tuple[float, float]:
        """Take calls full of steps; return the seconds a step took, and those of it that it waited for its input."""
        waited, first, started = 0.0, self._step, time.perf_counter()
        for _ in range(calls):
            asked = time.perf_counter()
            indices = next(self._batches)
            waited += time.perf_counter() - asked
            self._learner.run_steps(indices, self._step, *self._tensors)
            self._step += len(indices)
        return (time.perf_counter() - started) / (self._step - first), waited / (self._step - first)


def own_products(batch_size: int) -> Callable[[], object]:
    """Return what multiplies the matrices that a step does, eight products."""
    random = np.random.default_rng(0)

    def matrix(rows: int, columns: int) -> np.ndarray:
        return random.random((rows, columns), np.float32)

    pairs = []
    for rows, columns, count in PRODUCTS:
        x, weights, gradient = matrix(batch_size, rows), matrix(rows, columns), matrix(batch_size, columns)
        pairs += [(x, weights), (x.T, gradient), (gradient, weights.T)][:count]
    return lambda: [a @ b for a, b in pairs]


def best(run: Callable[[], object], repeats: int = 10) -> float:
    """Return the seconds that it takes at its best."""
    return min(seconds(run) for _ in range(repeats))


def seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
