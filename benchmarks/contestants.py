"""Ours, and the plain ways to write the same."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import tensorflow as tf

from app.classifier import Classifier
from training import checkpoint, dataset, loop
from training.model import initial_biases, initial_weights, neural_net, run_optimization
from training.recipe import TUTORIAL
from training.records import Progress
from training.state import TrainingState

REPEATS = 200
STEPS = 300


@dataclass(frozen=True)
class Contestant:
    name: str
    run: Callable[[], object]


def training_contestants(mnist_dir: Path) -> list[Contestant]:
    """Return the compiled loop, its compilation included, and the tutorial's loop as it was published."""
    data = dataset.read_folder(mnist_dir)
    recipe = TUTORIAL.with_overrides({"training_steps": STEPS, "validation_size": 0})
    images = data.train.images.reshape(-1, 784).astype(np.float32) / 255

    def compiled() -> None:
        loop.train(recipe, data, ignore)

    def eager() -> None:
        weights, biases = initial_weights(0), initial_biases()
        batches = tf.data.Dataset.from_tensor_slices((images, data.train.labels))
        batches = batches.repeat().shuffle(recipe.shuffle_buffer).batch(recipe.batch_size).prefetch(1)
        for batch_x, batch_y in batches.take(STEPS):
            run_optimization(batch_x, batch_y, weights, biases, recipe.learning_rate)

    return [
        Contestant("compiled loop, compilation included", compiled),
        Contestant("eager loop, as published", eager),
    ]


def prediction_contestants(count: int) -> list[Contestant]:
    """Return the service's forward pass and TensorFlow's, over `count` images."""
    shipped = checkpoint.load(resources.files("training").joinpath("pretrained.safetensors").read_bytes())
    classifier = Classifier(shipped, version=1)
    images = np.random.default_rng(0).integers(0, 256, (count, 28, 28), np.uint8)
    weights = {name: tf.constant(shipped.parameters[f"weights/{name}"]) for name in ("h1", "h2", "out")}
    biases = {name: tf.constant(shipped.parameters[f"biases/{name}"]) for name in ("b1", "b2", "out")}
    graph = tf.function(neural_net)

    def tensorflow(forward: Callable[..., tf.Tensor]) -> None:
        x = images.reshape(-1, 784).astype(np.float32) / 255
        forward(tf.constant(x), weights, biases).numpy()

    return [
        Contestant("Classifier (NumPy)", repeated(lambda: classifier.probabilities(images))),
        Contestant("TensorFlow, eager", repeated(lambda: tensorflow(neural_net))),
        Contestant("TensorFlow, tf.function", repeated(lambda: tensorflow(graph))),
    ]


def repeated(run: Callable[[], object]) -> Callable[[], None]:
    def many() -> None:
        for _ in range(REPEATS):
            run()

    return many


def ignore(progress: Progress, copy_state: Callable[[], TrainingState]) -> None:
    """Take no notice."""
