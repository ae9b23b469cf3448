"""Trainings in this process, and comparisons of their parameters."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkling.mnist import Dataset
from inkling.network.recipe import TUTORIAL, Recipe
from inkling.registry.records import Progress
from tests.support import reference
from tests.support.networks import Parameters

SMALL = TUTORIAL.with_overrides({"training_steps": 250, "display_step": 100, "validation_size": 500})


@dataclass(frozen=True)
class Trained:
    parameters: Parameters
    lines: list[Progress]


def train(recipe: Recipe, data: Dataset) -> Trained:
    from training import loop

    lines: list[Progress] = []
    return Trained(loop.train(recipe, data, lambda progress, _: lines.append(progress)), lines)


def assert_same_bytes(one: Parameters, other: Parameters) -> None:
    assert {name: array.tobytes() for name, array in one.items()} == {
        name: array.tobytes() for name, array in other.items()
    }


def read_by_reference(images: NDArray[np.uint8], parameters: Parameters) -> reference.Array:
    """Return the probabilities (n, 10) of images (n, 28, 28) by the formulas in double precision."""
    x = images.reshape(-1, 784) / 255.0
    return reference.layers(x, {name: array.astype(np.float64) for name, array in parameters.items()})[2]


def accuracy_by_reference(data: Dataset, parameters: Parameters) -> float:
    """Return the accuracy on the test images."""
    return float((read_by_reference(data.test.images, parameters).argmax(axis=1) == data.test.labels).mean())


def random_batch(size: int = 64) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return images (size, 784) of noise, 0 to 1, and labels (size,)."""
    random = np.random.default_rng(11)
    return random.random((size, 784), np.float32), random.integers(0, 10, size)


def variables_of(parameters: Parameters) -> tuple[Any, Any]:
    """Return weights and biases as the TensorFlow code takes them."""
    import tensorflow as tf

    weights = {name: tf.Variable(parameters[f"weights/{name}"]) for name in ("h1", "h2", "out")}
    biases = {name: tf.Variable(parameters[f"biases/{name}"]) for name in ("b1", "b2", "out")}
    return weights, biases


def values_of(weights: Any, biases: Any) -> Parameters:
    """Return the values of weights and biases, named as in the checkpoint file."""
    values = {f"weights/{name}": variable.numpy() for name, variable in weights.items()}
    return values | {f"biases/{name}": variable.numpy() for name, variable in biases.items()}
