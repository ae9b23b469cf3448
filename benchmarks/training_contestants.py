"""The tutorial's training in five implementations: each takes the same steps from the raw images to the network."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from inkling.mnist import Dataset, Split
from inkling.network.recipe import Recipe
from inkling.registry.records import Progress
from training import loop
from training.model import Variables, accuracy, cross_entropy, initial_biases, initial_weights, named, neural_net
from training.snapshot import Parameters, TrainingState

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Training:
    name: str
    run: Callable[[Recipe, Dataset], Parameters]


def ours(recipe: Recipe, data: Dataset) -> Parameters:
    return loop.train(recipe, data, ignore)


def eager(recipe: Recipe, data: Dataset) -> Parameters:
    """Train as the tutorial publishes it, with its display lines."""
    weights, biases = initial_weights(recipe.seed), initial_biases()
    for step, (batch_x, batch_y) in enumerate(published_batches(recipe, data.train).take(recipe.training_steps), 1):
        run_published_step(batch_x, batch_y, weights, biases, recipe.learning_rate)
        if step % recipe.display_step == 0:
            pred = neural_net(batch_x, weights, biases)
            float(cross_entropy(pred, batch_y)), float(accuracy(pred, batch_y))
    return {name: variable.numpy() for name, variable in named(weights, biases).items()}


def compiled_step(recipe: Recipe, data: Dataset) -> Parameters:
    """Train as published, with the step in `tf.function(jit_compile=True)`: the usual advice."""
    weights, biases = initial_weights(recipe.seed), initial_biases()

    @tf.function(jit_compile=True)
    def run_step(batch_x: tf.Tensor, batch_y: tf.Tensor) -> None:
        run_published_step(batch_x, batch_y, weights, biases, recipe.learning_rate)

    for step, (batch_x, batch_y) in enumerate(published_batches(recipe, data.train).take(recipe.training_steps), 1):
        run_step(batch_x, batch_y)
        if step % recipe.display_step == 0:
            pred = neural_net(batch_x, weights, biases)
            float(cross_entropy(pred, batch_y)), float(accuracy(pred, batch_y))
    return {name: variable.numpy() for name, variable in named(weights, biases).items()}


def run_published_step(x: tf.Tensor, y: tf.Tensor, weights: Variables, biases: Variables, learning_rate: float) -> None:
    """Take one step as the tutorial publishes it, in place."""
    with tf.GradientTape() as g:
        loss = cross_entropy(neural_net(x, weights, biases), y)
    trainable_variables = [*weights.values(), *biases.values()]
    gradients = g.gradient(loss, trainable_variables)
    for variable, gradient in zip(trainable_variables, gradients, strict=True):
        variable.assign_sub(learning_rate * gradient)


def keras_fit(recipe: Recipe, data: Dataset) -> Parameters:
    """Train the same layers with Keras `fit`, one epoch per display step."""
    initial = keras.initializers.RandomNormal(stddev=0.05, seed=recipe.seed)
    layers = [
        keras.layers.Dense(128, "sigmoid", kernel_initializer=initial, name="1"),
        keras.layers.Dense(256, "sigmoid", kernel_initializer=initial, name="2"),
        keras.layers.Dense(10, "softmax", kernel_initializer=initial, name="out"),
    ]
    network = keras.Sequential([keras.Input((784,)), *layers])
    network.compile(
        keras.optimizers.SGD(recipe.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(reduction="sum"),
        metrics=["accuracy"],
    )
    network.fit(
        published_batches(recipe, data.train),
        steps_per_epoch=recipe.display_step,
        epochs=recipe.training_steps // recipe.display_step,
        shuffle=False,  # the pipeline shuffles
        verbose=0,
    )
    h1, b1, h2, b2, out, b_out = network.get_weights()
    weights = {"weights/h1": h1, "weights/h2": h2, "weights/out": out}
    return {**weights, "biases/b1": b1, "biases/b2": b2, "biases/out": b_out}


def numpy_by_hand(recipe: Recipe, data: Dataset) -> Parameters:
    """Train in NumPy, with gradients by hand and a new permutation per epoch."""
    random = np.random.default_rng(recipe.seed)
    h1, h2, out = (random.normal(0, 0.05, shape).astype(np.float32) for shape in ((784, 128), (128, 256), (256, 10)))
    b1, b2, b_out = (np.zeros(size, np.float32) for size in (128, 256, 10))
    images, labels = data.train.images.reshape(-1, 784), data.train.labels
    rate, size = np.float32(recipe.learning_rate), recipe.batch_size
    one_hot = np.eye(10, dtype=np.float32)
    order = random.permutation(len(labels))
    begin = 0
    for step in range(1, recipe.training_steps + 1):
        if begin + size > len(order):
            order, begin = random.permutation(len(labels)), 0
        indices = order[begin : begin + size]
        begin += size
        x, y = images[indices].astype(np.float32) / np.float32(255), one_hot[labels[indices]]
        layer_1 = sigmoid(x @ h1 + b1)
        layer_2 = sigmoid(layer_1 @ h2 + b2)
        pred = softmax(layer_2 @ out + b_out)
        d_out = pred - y
        d_2 = (d_out @ out.T) * layer_2 * (1 - layer_2)
        d_1 = (d_2 @ h2.T) * layer_1 * (1 - layer_1)
        for value, gradient in (
            (out, layer_2.T @ d_out),
            (b_out, d_out.sum(0)),
            (h2, layer_1.T @ d_2),
            (b2, d_2.sum(0)),
            (h1, x.T @ d_1),
            (b1, d_1.sum(0)),
        ):
            np.subtract(value, rate * gradient, out=value)
        if step % recipe.display_step == 0:
            float(-(y * np.log(np.clip(pred, 1e-9, 1))).sum()), float((pred.argmax(1) == labels[indices]).mean())
    weights = {"weights/h1": h1, "weights/h2": h2, "weights/out": out}
    return {**weights, "biases/b1": b1, "biases/b2": b2, "biases/out": b_out}


OURS = Training("ours: 100 compiled steps per call", ours)
KERAS = Training("Keras `fit`", keras_fit)
FAST = (Training("NumPy by hand", numpy_by_hand), Training("one compiled step per call", compiled_step), KERAS)
EAGER = Training("the eager loop, as published", eager)


def published_batches(recipe: Recipe, split: Split) -> tf.data.Dataset:
    """Return the tutorial's input pipeline: float images, shuffled, in batches."""
    x = np.array(split.images, np.float32).reshape(-1, 784) / np.float32(255)
    batches = tf.data.Dataset.from_tensor_slices((x, split.labels))
    return batches.repeat().shuffle(recipe.shuffle_buffer).batch(recipe.batch_size).prefetch(1)


def sigmoid(x: NDArray[np.floating[Any]]) -> Array:
    y: Array = (1 / (1 + np.exp(-x))).astype(np.float32, copy=False)
    return y


def softmax(x: NDArray[np.floating[Any]]) -> Array:
    exponentials = np.exp(x - x.max(axis=1, keepdims=True))
    y: Array = (exponentials / exponentials.sum(axis=1, keepdims=True)).astype(np.float32, copy=False)
    return y


def ignore(progress: Progress, copy_state: Callable[[], TrainingState]) -> None:
    """Ignore the progress."""
