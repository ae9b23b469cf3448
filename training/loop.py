"""The training loop: the tutorial's steps, compiled, many to a call."""

import math
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from inkling.digit import NUM_CLASSES, NUM_PIXELS
from inkling.mnist import Dataset, Split
from inkling.network.checkpoint import Card, Checkpoint, save, verify
from inkling.network.evaluation import evaluate
from inkling.network.recipe import Recipe
from inkling.registry.records import Progress
from training.calibration import fit_temperature
from training.data.shuffling import shuffled_batches
from training.data.synthetic_digits import add_synthetic_digits
from training.model import accuracy, logits
from training.snapshot import Parameters, TrainingState
from training.trainer import Trainer, scale


class DivergedError(Exception):
    """The loss is no longer a finite number, or has run away."""


def train(
    recipe: Recipe,
    dataset: Dataset,
    on_progress: Callable[[Progress, Callable[[], TrainingState]], None],
    resume: TrainingState | None = None,
) -> Parameters:
    """Train a new network, or go on from a state, and return its parameters, named as in the checkpoint file.

    Calls `on_progress` after every `recipe.display_step` steps, with what they showed and with a function that copies
    the state to go on from; what it raises ends the training. A resumed training ends with the same parameters, bit
    for bit, as one that was not interrupted, on the same machine with as many threads.

    Raises:
        DatasetError: nothing would be left to train on.
        DivergedError: the loss is not finite, or runs away.
    """
    train_split, validation_split = dataset.hold_out(recipe.validation_size)
    train_split = add_synthetic_digits(train_split, recipe.synthetic, recipe.seed)
    trainer = Trainer(recipe)
    step, elapsed_s = 0, 0.0
    if resume:
        step, elapsed_s = resume.step, resume.elapsed_s
        trainer.restore(resume)
    images, labels = _flat(train_split)
    held_out = _flat(validation_split) if len(validation_split) else None
    started = time.perf_counter() - elapsed_s
    for indices in shuffled_batches(recipe, len(train_split), skip=step):
        loss, batch_accuracy = trainer.run_steps(indices, step, images, labels)
        step += len(indices)
        _check_loss(loss, step, recipe)
        if step % recipe.display_step:
            continue  # the steps after the last display step
        progress = Progress(
            step=step,
            loss=loss,
            accuracy=batch_accuracy,
            validation_accuracy=_held_out_accuracy(held_out, trainer.result()),
            elapsed_s=time.perf_counter() - started,
        )
        on_progress(progress, partial(trainer.copy_state, step, progress.elapsed_s))
    return trainer.result()


def checkpoint_of(parameters: Parameters, recipe: Recipe, dataset: Dataset) -> Checkpoint:
    """Calibrate a trained network on the held-out images, evaluate it on the test images, and return its checkpoint.

    Raises:
        CheckpointError: a parameter is not finite.
    """
    verify(parameters)  # before the evaluation, which cannot score what is not a number
    _, validation = dataset.hold_out(recipe.validation_size)
    temperature = 1.0
    if len(validation):
        temperature = fit_temperature(predict_logits(validation.images, parameters), validation.labels)
    test = dataset.test
    card = Card(
        recipe=recipe,
        dataset=dataset.name,
        dataset_digest=dataset.digest,
        evaluation=evaluate(
            predict(test.images, parameters, temperature), test.labels, uncalibrated=predict(test.images, parameters)
        ),
        temperature=temperature,
        libraries={name: version(name) for name in ("tensorflow", "keras", "numpy")},
    )
    return save(parameters, card)


def predict(images: NDArray[np.uint8], parameters: Parameters, temperature: float = 1.0) -> NDArray[np.float32]:
    """Return the probabilities (n, 10) that the network gives images (n, 28, 28)."""
    probabilities: NDArray[np.float32] = tf.nn.softmax(predict_logits(images, parameters) / temperature).numpy()
    return probabilities


def predict_logits(images: NDArray[np.uint8], parameters: Parameters) -> NDArray[np.float32]:
    """Return the logits (n, 10), before the temperature, that the network gives images (n, 28, 28)."""
    weights = {name: tf.constant(parameters[f"weights/{name}"]) for name in ("h1", "h2", "out")}
    biases = {name: tf.constant(parameters[f"biases/{name}"]) for name in ("b1", "b2", "out")}
    x = scale(tf.reshape(images, [-1, NUM_PIXELS]))
    values: NDArray[np.float32] = logits(x, weights, biases).numpy()
    return values


def _check_loss(loss: float, step: int, recipe: Recipe) -> None:
    """Raise DivergedError when training can lead nowhere any more.

    A network that guesses has a loss of ln(10) an image; after a display step no sound training is at four times that.
    """
    limit = 4 * math.log(NUM_CLASSES) * recipe.batch_size
    if not loss <= limit:  # NaN is neither more nor less
        raise DivergedError(
            f"the loss is {loss:g} after step {step}, and {limit:g} is the most that training can recover from: "
            f"the learning rate {recipe.learning_rate:g} is too high for batches of {recipe.batch_size}"
        )


def _held_out_accuracy(held_out: tuple[tf.Tensor, tf.Tensor] | None, parameters: Parameters) -> float | None:
    if held_out is None:
        return None
    images, labels = held_out
    return float(accuracy(predict(images, parameters), labels))


def _flat(split: Split) -> tuple[tf.Tensor, tf.Tensor]:
    return tf.constant(split.images.reshape(-1, NUM_PIXELS)), tf.constant(split.labels, tf.int32)
