"""`python -m benchmarks.training`: the tutorial's training in five implementations, three minutes on two idle cores.

TensorFlow is imported before the clock starts, because all but NumPy need it. Everything else counts: conversion of the
images to floats, tracing, compilation, the display lines.
"""

import os
import statistics
import time
from dataclasses import dataclass

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from benchmarks.digits import mnist_dir
from benchmarks.training_contestants import EAGER, FAST, KERAS, OURS, Training
from benchmarks.verdicts import Log, Verdict, log_to_stderr, spread
from inkling import mnist
from inkling.mnist import Dataset
from inkling.model_card.markdown import paragraph, table
from inkling.network.recipe import TUTORIAL
from training.predictions import predict

ROUNDS = 5
EAGER_ROUNDS = (0, 2, 4)
"""The eager loop takes half a minute per round."""
RECIPE = TUTORIAL.with_overrides({"validation_size": 0})
"""Trains on all images, like the tutorial; the other implementations do not validate."""
LEAST = {EAGER.name: 4.5, KERAS.name: 1.7}
"""The least ratios of another implementation's time to ours."""
LEAST_ACCURACY = 0.85
"""An implementation below it does not train properly: 0.94 is usual."""


@dataclass(frozen=True)
class Race:
    images: str
    seconds: dict[str, dict[int, float]]
    """By the name of the implementation and the number of the round."""
    accuracies: dict[str, float]
    """On the test images, in the last round."""

    def ratios(self, name: str) -> list[float]:
        """Return the ratio of an implementation's time to ours, for each of its rounds."""
        return [taken / self.seconds[OURS.name][round_] for round_, taken in self.seconds[name].items()]


def run(log: Log) -> Race:
    everyone = (OURS, *FAST, EAGER)
    seconds: dict[str, dict[int, float]] = {training.name: {} for training in everyone}
    accuracies = {}
    with mnist_dir() as (folder, images):
        data = mnist.read_folder(folder)
        for training in everyone:
            # Loads modules that are imported lazily.
            training.run(RECIPE.with_overrides({"training_steps": 2, "display_step": 1}), data)
        for round_ in range(ROUNDS):
            for training in everyone:
                if training is not EAGER or round_ in EAGER_ROUNDS:
                    seconds[training.name][round_], accuracies[training.name] = train(training, data)
            log(f"training, round {round_ + 1} of {ROUNDS}")
    return Race(images, seconds, accuracies)


def train(training: Training, data: Dataset) -> tuple[float, float]:
    """Return the seconds of a training, and the test accuracy of its result."""
    started = time.perf_counter()
    parameters = training.run(RECIPE, data)
    taken = time.perf_counter() - started
    accuracy = float((predict(data.test.images, parameters).argmax(axis=1) == data.test.labels).mean())
    if accuracy < LEAST_ACCURACY:
        raise SystemExit(f"{training.name} reached a test accuracy of only {accuracy:.3f}")
    return taken, accuracy


def section(race: Race) -> str:
    text = (
        f"The tutorial's recipe, {RECIPE.training_steps:,} steps on {race.images}: wall time with compilation, without "
        f"the import of TensorFlow. The implementations take turns in {ROUNDS} rounds; the eager loop takes part in "
        f"{len(EAGER_ROUNDS)} of them."
    )
    rows = [
        [name, f"{statistics.median(taken.values()):.2f}", spread(race.ratios(name)), f"{race.accuracies[name]:.3f}"]
        for name, taken in race.seconds.items()
    ]
    header = ("", "seconds, median", "time / ours", "test accuracy")
    return "\n\n".join(["## The tutorial's training", paragraph(text), table(header, rows)])


def verdicts(race: Race) -> list[Verdict]:
    return [
        Verdict(
            f"tutorial training: {name} / ours",
            f"at least {least}x the time",
            spread(race.ratios(name)),
            statistics.median(race.ratios(name)) >= least,
        )
        for name, least in LEAST.items()
    ]


if __name__ == "__main__":
    print(section(run(log_to_stderr)))
