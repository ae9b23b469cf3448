"""`python -m benchmarks.steps`: a compiled step against what the machine's matrix products allow; a minute."""

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from benchmarks.images import mnist_dir
from benchmarks.training import RECIPE, tell_here
from benchmarks.verdicts import Tell, Verdict, spread
from inkling import mnist
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
"""Of steps before those that count: NumPy's threads look for more work for a while, and take their time from them."""
LEAST = 0.6
"""Of the limit, to be reached by a step."""
PRODUCTS = ((784, 128, 2), (128, 256, 3), (256, 10, 3))
"""Of one image: rows, columns, and how many such products a step has. Nothing asks for the images' gradient."""

PLAIN = {"rotation": 0, "scale": 0, "shear": 0, "shift": 0, "elastic": 0, "thickness": 0}
ACCURATE_WITHOUT: dict[str, dict[str, float]] = {
    "whole": {},
    "without damage": {"corrupted": 0},
    "without distortions and damage": {**PLAIN, "corrupted": 0},
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
    """Share of the steps' time in which they wait for the numbers of their images."""
    accurate_ms: dict[str, list[float]]
    """A step of the recipe `accurate`, and of the same without some of it."""
    input_ms: float

    @property
    def flops(self) -> int:
        return 2 * RECIPE.batch_size * sum(rows * columns * count for rows, columns, count in PRODUCTS)

    @property
    def rates(self) -> list[float]:
        """GFLOP/s of the whole step, counting its products alone."""
        return [self.flops / milliseconds / 1e6 for milliseconds in self.step_ms]

    def shares(self, rates: Sequence[float]) -> list[float]:
        return [rate / limit for rate, limit in zip(rates, self.limit, strict=True)]


def run(tell: Tell) -> Steps:
    with mnist_dir() as (folder, _):
        data = mnist.read_folder(folder)
        steps = _against_the_limit(data)
        tell("steps: tutorial")
        accurate_ms = _accurate(data)
        tell("steps: accurate")
        return Steps(*steps, accurate_ms, _input_ms(ACCURATE, len(data.train)))


def section(steps: Steps) -> str:
    step_ms, accurate_ms = statistics.median(steps.step_ms), statistics.median(steps.accurate_ms["whole"])
    tutorial = (
        f"A step of the tutorial, {RECIPE.batch_size} images, takes {step_ms:.3f} ms, for {steps.flops / 1e6:.0f} "
        f"million floating point operations in eight matrix products. The limit is what the machine reaches on two "
        f"matrices of {SQUARE}x{SQUARE} in float32, by NumPy or by TensorFlow, whichever is faster, measured in turns "
        f"with the step; of each the fastest of some calls, {RECIPE.display_step} steps a call. It waits "
        f"{statistics.median(steps.waits):.1%} of its time for its input."
    )
    limits = [
        ["the limit", f"{statistics.median(steps.limit):.0f}", "1"],
        *(
            [name, f"{statistics.median(rates):.0f}", spread(steps.shares(rates), unit="")]
            for name, rates in (("the eight products alone, NumPy", steps.products), ("the whole step", steps.rates))
        ),
    ]
    accurate = (
        f"A step with the recipe `accurate`, {ACCURATE.batch_size} images. The numbers of its images are drawn before "
        f"it, in {steps.input_ms:.3f} ms."
    )
    parts = [
        [name, f"{statistics.median(times):.2f}", f"{statistics.median(times) / accurate_ms:.0%}"]
        for name, times in steps.accurate_ms.items()
    ]
    return "\n\n".join(
        [
            "## A step, and the limit",
            paragraph(tutorial),
            table(("", "GFLOP/s", "share of the limit"), limits),
            paragraph(accurate),
            table(("", "ms", "share"), parts),
        ]
    )


def verdicts(steps: Steps) -> list[Verdict]:
    shares = steps.shares(steps.rates)
    return [
        (
            f"a tutorial step by a {SQUARE}x{SQUARE} float32 product",
            f"at least {LEAST} of its rate",
            spread(shares, unit=""),
            statistics.median(shares) >= LEAST,
        )
    ]


def _against_the_limit(data: Dataset) -> tuple[list[float], list[float], list[float], list[float]]:
    """Return the limits, the rates of the products, the milliseconds of a step, and the shares that it waits."""
    split, _ = data.hold_out(RECIPE.validation_size)
    tensors, trainer = loop.to_tensors(split), Trainer(RECIPE)
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
            asked = time.perf_counter()
            indices = next(batches)
            chosen = time.perf_counter()
            trainer.run_steps(indices, 0, *tensors)
            waited += chosen - asked
            calls.append(time.perf_counter() - asked)
        step_ms.append(min(calls) / RECIPE.display_step * 1e3)
        waits.append(waited / sum(calls))
    return limits, rates, step_ms, waits


def _accurate(data: Dataset) -> dict[str, list[float]]:
    """Return the milliseconds of a step, round by round: of the recipe, and of the recipe without some of it."""
    split, _ = data.hold_out(ACCURATE.validation_size)
    tensors = loop.to_tensors(split)
    size = (ACCURATE.display_step, ACCURATE.batch_size)
    indices = np.random.default_rng(0).integers(0, len(split), size, dtype=np.int32)
    learners = {name: Trainer(ACCURATE.with_overrides(without)) for name, without in ACCURATE_WITHOUT.items()}
    for trainer in learners.values():
        trainer.run_steps(indices, 0, *tensors)  # compilation
    rounds = [
        [_seconds(lambda trainer=trainer: trainer.run_steps(indices, 0, *tensors)) for trainer in learners.values()]  # type: ignore[misc]
        for _ in range(ROUNDS)
    ]
    columns = zip(*rounds, strict=True)
    return {
        name: [seconds / ACCURATE.display_step * 1e3 for seconds in column]
        for name, column in zip(learners, columns, strict=True)
    }


def _input_ms(recipe: Recipe, size: int) -> float:
    """Return the milliseconds that it takes to choose a step's images, once the shuffle's buffer is full."""
    batches = shuffled_batches(recipe, size)
    next(batches)
    return _seconds(lambda: [next(batches) for _ in range(4)]) / 4 / recipe.display_step * 1e3


def _products(batch_size: int) -> Call:
    """Return what multiplies the matrices that a step does."""
    pairs: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
    for rows, columns, count in PRODUCTS:
        x, weights, gradient = _matrix(batch_size, rows), _matrix(rows, columns), _matrix(batch_size, columns)
        pairs += [(x, weights), (x.T, gradient), (gradient, weights.T)][:count]
    return lambda: [a @ b for a, b in pairs]


def _matrix(rows: int, columns: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).random((rows, columns), np.float32)


def _best(call: Call) -> float:
    return min(_seconds(call) for _ in range(10))


def _seconds(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


if __name__ == "__main__":
    print(section(run(tell_here)))
