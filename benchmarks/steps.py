"""`python -m benchmarks.steps`: a compiled training step against the machine's matrix products; takes a minute."""

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

from benchmarks.digits import mnist_dir
from benchmarks.training import RECIPE
from benchmarks.verdicts import Log, Verdict, log_to_stderr, seconds, spread
from inkling import mnist
from inkling.digit import Floats
from inkling.mnist import Dataset
from inkling.model_card.markdown import paragraph, table
from inkling.network.recipe import ACCURATE, Recipe
from training import loop
from training.data.shuffling import shuffled_batches
from training.trainer import Trainer

ROUNDS = 5
CALLS = 10
SQUARE = 2048
SETTLE_S = 0.5
"""Duration of the untimed steps before the timed ones: NumPy's threads keep spinning for a while."""
LEAST = 0.6
"""The least share of the limit for a step."""
PRODUCTS = ((784, 128, 2), (128, 256, 3), (256, 10, 3))
"""Of one image: rows, columns, and the number of such products in a step. The gradient of the images is not needed."""

PLAIN = {"rotation": 0, "scale": 0, "shear": 0, "shift": 0, "elastic": 0, "thickness": 0}
ACCURATE_WITHOUT: dict[str, dict[str, float]] = {
    "whole": {},
    "without corruption": {"corrupted": 0},
    "without distortions and corruption": {**PLAIN, "corrupted": 0},
}

Call = Callable[[], object]


@dataclass(frozen=True)
class Steps:
    limit: list[float]
    """GFLOP/s of a large square product, round by round."""
    products: list[float]
    """GFLOP/s of the step's own products."""
    step_ms: list[float]
    waits: list[float]
    """Share of the time in which the steps wait for the indices of their images."""
    accurate_ms: dict[str, list[float]]
    """Time of a step of the recipe `accurate`, and of the same without parts of it."""
    input_ms: float

    @property
    def flops(self) -> int:
        return 2 * RECIPE.batch_size * sum(rows * columns * count for rows, columns, count in PRODUCTS)

    @property
    def rates(self) -> list[float]:
        """GFLOP/s of the whole step, if only its products count."""
        return [self.flops / milliseconds / 1e6 for milliseconds in self.step_ms]

    def shares(self, rates: Sequence[float]) -> list[float]:
        return [rate / limit for rate, limit in zip(rates, self.limit, strict=True)]


def run(log: Log) -> Steps:
    with mnist_dir() as (folder, _):
        data = mnist.read_folder(folder)
        steps = _against_the_limit(data)
        log("steps: tutorial")
        accurate_ms = _accurate(data)
        log("steps: accurate")
        return Steps(*steps, accurate_ms, _input_ms(ACCURATE, len(data.train)))


def section(steps: Steps) -> str:
    step_ms, accurate_ms = statistics.median(steps.step_ms), statistics.median(steps.accurate_ms["whole"])
    tutorial = (
        f"A step of the tutorial, {RECIPE.batch_size} images, takes {step_ms:.3f} ms for {steps.flops / 1e6:.0f} "
        f"million floating-point operations in eight matrix products. The limit is the rate of a product of two "
        f"{SQUARE}x{SQUARE} float32 matrices, in NumPy or in TensorFlow, whichever is faster. Limit and step are "
        f"measured in turns; each value is the fastest of several calls, with {RECIPE.display_step} steps per call. "
        f"The step waits {statistics.median(steps.waits):.1%} of its time for its input."
    )
    limits = [
        ["the limit", f"{statistics.median(steps.limit):.0f}", "1"],
        *(
            [name, f"{statistics.median(rates):.0f}", spread(steps.shares(rates), unit="")]
            for name, rates in (("the eight products alone, NumPy", steps.products), ("the whole step", steps.rates))
        ),
    ]
    accurate = (
        f"A step of the recipe `accurate`, {ACCURATE.batch_size} images. The indices of its images are chosen before "
        f"it, in {steps.input_ms:.3f} ms."
    )
    parts = [
        [name, f"{statistics.median(times):.2f}", f"{statistics.median(times) / accurate_ms:.0%}"]
        for name, times in steps.accurate_ms.items()
    ]
    return "\n\n".join(
        [
            "## A training step, and the limit",
            paragraph(tutorial),
            table(("", "GFLOP/s", "share of the limit"), limits),
            paragraph(accurate),
            table(("", "ms", "share"), parts),
        ]
    )


def verdicts(steps: Steps) -> list[Verdict]:
    shares = steps.shares(steps.rates)
    return [
        Verdict(
            f"tutorial step / {SQUARE}x{SQUARE} float32 product",
            f"at least {LEAST} of the rate",
            spread(shares, unit=""),
            statistics.median(shares) >= LEAST,
        )
    ]


def _against_the_limit(data: Dataset) -> tuple[list[float], list[float], list[float], list[float]]:
    """Return the limits, the rates of the products, the milliseconds of a step, and the shares of waiting."""
    split, _ = data.hold_out(RECIPE.validation_size)
    tensors, trainer = loop.to_tensors(split), Trainer(RECIPE, len(split))
    batches = shuffled_batches(RECIPE.with_overrides({"training_steps": 100_000}), len(split))
    trainer.run_steps(next(batches), 0, *tensors)  # compilation
    square = _matrix(SQUARE, SQUARE)
    square_tensor, products = tf.constant(square), _products(RECIPE.batch_size)
    flops = 2 * RECIPE.batch_size * sum(rows * columns * count for rows, columns, count in PRODUCTS)
    limits, rates, step_ms, waits = [], [], [], []
    for _ in range(ROUNDS):
        fastest = min(_best(lambda: square @ square), _best(lambda: tf.matmul(square_tensor, square_tensor).numpy()))
        limits.append(2 * SQUARE**3 / fastest / 1e9)
        rates.append(flops / _best(products) / 1e9)
        settled = time.perf_counter() + SETTLE_S
        while time.perf_counter() < settled:
            trainer.run_steps(next(batches), 0, *tensors)
        waited, calls = 0.0, []
        for _ in range(CALLS):
            started = time.perf_counter()
            indices = next(batches)
            chosen = time.perf_counter()
            trainer.run_steps(indices, 0, *tensors)
            waited += chosen - started
            calls.append(time.perf_counter() - started)
        step_ms.append(min(calls) / RECIPE.display_step * 1e3)
        waits.append(waited / sum(calls))
    return limits, rates, step_ms, waits


def _accurate(data: Dataset) -> dict[str, list[float]]:
    """Return the milliseconds of a step, round by round: of the recipe, and of the recipe without parts of it."""
    split, _ = data.hold_out(ACCURATE.validation_size)
    tensors = loop.to_tensors(split)
    size = (ACCURATE.display_step, ACCURATE.batch_size)
    indices = np.random.default_rng(0).integers(0, len(split), size, dtype=np.int32)
    trainers = {
        name: Trainer(ACCURATE.with_overrides(without), len(split)) for name, without in ACCURATE_WITHOUT.items()
    }
    for trainer in trainers.values():
        trainer.run_steps(indices, 0, *tensors)  # compilation
    rounds = [
        [seconds(lambda trainer=trainer: trainer.run_steps(indices, 0, *tensors)) for trainer in trainers.values()]  # type: ignore[misc]
        for _ in range(ROUNDS)
    ]
    columns = zip(*rounds, strict=True)
    return {
        name: [taken / ACCURATE.display_step * 1e3 for taken in column]
        for name, column in zip(trainers, columns, strict=True)
    }


def _input_ms(recipe: Recipe, size: int) -> float:
    """Return the milliseconds that the choice of a step's images takes, once the shuffle buffer is full."""
    batches = shuffled_batches(recipe, size)
    next(batches)
    return seconds(lambda: [next(batches) for _ in range(4)]) / 4 / recipe.display_step * 1e3


def _products(batch_size: int) -> Call:
    """Return a function that computes the matrix products of a step."""
    pairs: list[tuple[Floats, Floats]] = []
    for rows, columns, count in PRODUCTS:
        x, weights, gradient = _matrix(batch_size, rows), _matrix(rows, columns), _matrix(batch_size, columns)
        pairs += [(x, weights), (x.T, gradient), (gradient, weights.T)][:count]
    return lambda: [a @ b for a, b in pairs]


def _matrix(rows: int, columns: int) -> Floats:
    return np.random.default_rng(0).random((rows, columns), np.float32)


def _best(call: Call) -> float:
    return min(seconds(call) for _ in range(10))


if __name__ == "__main__":
    print(section(run(log_to_stderr)))
