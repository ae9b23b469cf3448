"""`python -m benchmarks.training`: the tutorial's training in five hands, three minutes on two quiet cores.

TensorFlow is imported before the clocks start, for all need it but NumPy. All else counts: making floats of the images,
tracing, compilation, the display lines.
"""

import os
import statistics
import sys
import time
from dataclasses import dataclass

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from benchmarks.images import mnist_dir
from benchmarks.training_contestants import EAGER, FAST, KERAS, OURS, Training
from benchmarks.verdicts import Tell, Verdict, spread
from inkling import mnist
from inkling.mnist import Dataset
from inkling.model_card.markdown import paragraph, table
from inkling.network.recipe import TUTORIAL
from training import loop

ROUNDS = 5
EAGER_ROUNDS = (0, 2, 4)
"""The eager loop takes half a minute a round."""
RECIPE = TUTORIAL.with_overrides({"validation_size": 0})
"""All images, as the tutorial; and the others would not validate."""
LEAST = {EAGER.name: 4.5, KERAS.name: 1.7}
"""Times as fast as others that ours is to be."""
LEAST_ACCURACY = 0.85
"""What learns less has not done the work: 0.94 is usual."""


@dataclass(frozen=True)
class Race:
    images: str
    seconds: dict[str, dict[int, float]]
    """By the contestant's name and the number of the round."""
    accuracies: dict[str, float]
    """On the test images, of the last round."""

    def ratios(self, name: str) -> list[float]:
        """Return how many times as fast as a contestant ours was, in each round of it."""
        return [taken / self.seconds[OURS.name][round_] for round_, taken in self.seconds[name].items()]


def run(tell: Tell) -> Race:
    everyone = (OURS, *FAST, EAGER)
    seconds: dict[str, dict[int, float]] = {training.name: {} for training in everyone}
    accuracies = {}
    with mnist_dir() as (folder, images):
        data = mnist.read_folder(folder)
        for training in everyone:
            training.run(RECIPE.with_overrides({"training_steps": 2, "display_step": 1}), data)  # loads what is lazy
        for round_ in range(ROUNDS):
            for training in everyone:
                if training is not EAGER or round_ in EAGER_ROUNDS:
                    seconds[training.name][round_], accuracies[training.name] = train(training, data)
            tell(f"training, round {round_ + 1} of {ROUNDS}")
    return Race(images, seconds, accuracies)


def train(training: Training, data: Dataset) -> tuple[float, float]:
    """Return the seconds that a training takes, and the test accuracy that it comes to."""
    started = time.perf_counter()
    parameters = training.run(RECIPE, data)
    taken = time.perf_counter() - started
    accuracy = float((loop.predict(data.test.images, parameters).argmax(axis=1) == data.test.labels).mean())
    if accuracy < LEAST_ACCURACY:
        raise SystemExit(f"{training.name} has not learned: {accuracy:.3f}")
    return taken, accuracy


def section(race: Race) -> str:
    text = (
        f"The tutorial's recipe, {RECIPE.training_steps:,} steps on {race.images}: the whole wall time, compilation "
        f"included, TensorFlow's import not. The contestants take turns in {ROUNDS} rounds; the eager loop in "
        f"{len(EAGER_ROUNDS)} of them."
    )
    rows = [
        [name, f"{statistics.median(taken.values()):.2f}", spread(race.ratios(name)), f"{race.accuracies[name]:.3f}"]
        for name, taken in race.seconds.items()
    ]
    header = ("", "seconds, median", "ours is as fast, times", "test accuracy")
    return "\n\n".join(["## The tutorial's training", paragraph(text), table(header, rows)])


def verdicts(race: Race) -> list[Verdict]:
    return [
        (
            f"tutorial training by {name}",
            f"at least {least}x as fast",
            spread(race.ratios(name)),
            statistics.median(race.ratios(name)) >= least,
        )
        for name, least in LEAST.items()
    ]


def tell_here(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    print(section(run(tell_here)))
