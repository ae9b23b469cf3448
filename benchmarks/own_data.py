"""`python -m benchmarks.own_data [garments] [mnist] [--update]`: `inkling train --data` beside Keras `fit`.

Both train the tutorial's network, with its initial distribution, batches, steps, optimizer and learning rate, on the
same images: Fashion-MNIST, if INKLING_FASHION_DIR names the folder of its files, else garments drawn in its format; and
MNIST, if INKLING_MNIST_DIR names the folder of its files. `--update` writes the table of docs/own_data.md.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from benchmarks.document_sections import write_rows
from benchmarks.garments import write_garments
from benchmarks.processes import ROOT
from benchmarks.training_contestants import keras_fit
from benchmarks.verdicts import log_to_stderr
from inkling.datasets.own_data import read_own_data
from inkling.mnist import Dataset
from inkling.network.checkpoint import load
from inkling.network.evaluation import wilson_interval
from inkling.network.recipe import TUTORIAL
from training.predictions import predict

DOCUMENT = ROOT / "docs" / "own_data.md"
HEADING = "Measured"
SEEDS = (0, 1, 2)
TRAIN, TEST = 12_000, 2_000
"""Drawn garments."""


@dataclass(frozen=True)
class Race:
    """Correct test images of each seed."""

    name: str
    total: int
    ours: list[int]
    keras: list[int]

    @property
    def is_reached(self) -> bool:
        """Whether the median run is not below the interval of Keras's median run."""
        low, _ = wilson_interval(_median(self.keras), self.total)
        return _median(self.ours) / self.total >= low

    def cells(self) -> list[str]:
        return [self.name, *(_describe(correct, self.total) for correct in (self.ours, self.keras))]


def measure(name: str, folder: Path) -> Race:
    data = read_own_data(folder)
    race = Race(name, len(data.test), [], [])
    for seed in SEEDS:
        race.ours.append(train_ours(folder, seed))
        race.keras.append(train_keras(data, seed))
        log_to_stderr(f"{name}, seed {seed}: {race.ours[-1]} and with Keras {race.keras[-1]} of {race.total}")
    return race


def train_ours(folder: Path, seed: int) -> int:
    """Return how many test images the command's network reads correctly, as its card says."""
    with tempfile.TemporaryDirectory() as made:
        file = Path(made) / "trained.safetensors"
        command = [sys.executable, "-m", "app.cli", "train", "--data", str(folder), "--recipe", "tutorial"]
        subprocess.run(
            [*command, "--set", f"seed={seed}", "--out", str(file)], cwd=made, check=True, stdout=subprocess.DEVNULL
        )
        return load(file.read_bytes()).card.evaluation.correct


def train_keras(data: Dataset, seed: int) -> int:
    """Return the same of Keras, on the same training images: without those that are held out."""
    train, _ = data.hold_out(TUTORIAL.validation_size)
    parameters = keras_fit(TUTORIAL.with_overrides({"seed": seed}), replace(data, train=train))
    return int((predict(data.test.images, parameters).argmax(axis=1) == data.test.labels).sum())


@contextmanager
def dataset(kind: str) -> Iterator[tuple[str, Path]]:
    """Yield the name of a dataset and its folder."""
    if kind == "mnist":
        yield "MNIST", Path(os.environ["INKLING_MNIST_DIR"])
    elif fashion := os.environ.get("INKLING_FASHION_DIR"):
        yield "Fashion-MNIST", Path(fashion)
    else:
        with tempfile.TemporaryDirectory() as made:
            yield "drawn garments", write_garments(Path(made) / "garments", TRAIN, TEST)


def _median(correct: list[int]) -> int:
    return int(np.median(correct))


def _describe(correct: list[int], total: int) -> str:
    low, high = wilson_interval(_median(correct), total)
    return f"{_median(correct) / total:.4f} ({low:.4f} to {high:.4f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    present = ["garments", "mnist"] if "INKLING_MNIST_DIR" in os.environ else ["garments"]
    parser.add_argument("datasets", nargs="*", choices=present, default=present)
    parser.add_argument("--update", action="store_true", help="write the rows of docs/own_data.md")
    arguments = parser.parse_args()
    races = []
    for kind in arguments.datasets:
        with dataset(kind) as (name, folder):
            races.append(measure(name, folder))
        print(*races[-1].cells(), "reached" if races[-1].is_reached else "BELOW KERAS", sep="  ", flush=True)
        if arguments.update:
            write_rows(DOCUMENT, HEADING, [races[-1].cells()])
    sys.exit(not all(race.is_reached for race in races))


if __name__ == "__main__":
    main()
