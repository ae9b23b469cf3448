"""The tutorial's program as published: float images, the input pipeline, one eager step after the other, printed lines.

Source: Aymeric Damien, TensorFlow-Examples, tensorflow_v2/notebooks/3_NeuralNetworks/neural_network_raw.ipynb. What is
ours: the hyperparameters come from a recipe, and its seed makes the weights and the shuffle reproducible.
"""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from inkling.digit import NUM_PIXELS, Floats
from inkling.mnist import Dataset
from inkling.network.recipe import Recipe
from training.model import accuracy, cross_entropy, initial_biases, initial_weights, named, neural_net, run_optimization
from training.snapshot import Parameters


def train(recipe: Recipe, dataset: Dataset) -> Parameters:
    """Train as the tutorial does, print its lines, and return the parameters, named as in the checkpoint file.

    Raises:
        DatasetError: no image would be left to train on.
    """
    train_split, _ = dataset.hold_out(recipe.validation_size)
    x_train, y_train = flat_floats(train_split.images), train_split.labels
    x_test, y_test = flat_floats(dataset.test.images), dataset.test.labels
    train_data = input_pipeline(x_train, y_train, recipe)
    weights, biases = initial_weights(recipe.seed), initial_biases()
    optimizer = tf.optimizers.SGD(recipe.learning_rate)

    # Run training for the given number of steps.
    for step, (batch_x, batch_y) in enumerate(train_data.take(recipe.training_steps), 1):
        run_optimization(batch_x, batch_y, weights, biases, optimizer)
        if step % recipe.display_step == 0:
            pred = neural_net(batch_x, weights, biases)
            loss = cross_entropy(pred, batch_y)
            acc = accuracy(pred, batch_y)
            print(f"step: {step}, loss: {loss:f}, accuracy: {acc:f}", flush=True)  # noqa: T201  the tutorial's line

    # Test the network.
    pred = neural_net(x_test, weights, biases)
    print(f"Test Accuracy: {accuracy(pred, y_test):f}", flush=True)  # noqa: T201  the tutorial's line
    return {name: variable.numpy() for name, variable in named(weights, biases).items()}


def flat_floats(images: NDArray[np.uint8]) -> Floats:
    """Convert images (n, 28, 28), 0 to 255, to float32, flatten them to (n, 784), and normalize them to 0 to 1."""
    x = np.array(images, np.float32)
    x = x.reshape([-1, NUM_PIXELS])
    return x / np.float32(255.0)


def input_pipeline(x: Floats, y: NDArray[np.uint8], recipe: Recipe) -> tf.data.Dataset:
    """Return endless shuffled batches: images (batch, 784) and labels (batch,).

    An image leaves the shuffle buffer at random, on average after `shuffle_buffer` others: 5,000 in the tutorial.
    """
    train_data = tf.data.Dataset.from_tensor_slices((x, y))
    return train_data.repeat().shuffle(recipe.shuffle_buffer, seed=recipe.seed).batch(recipe.batch_size).prefetch(1)
