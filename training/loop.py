"""The training loop: data, progress, divergence. The compiled steps are in `training/trainer.py`."""

import math
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from inkling.digit import NUM_CLASSES, NUM_PIXELS, SIDE
from inkling.errors import DatasetError, InklingError
from inkling.mnist import Dataset, Split, join
from inkling.network.evaluation import cross_entropy
from inkling.network.recipe import Recipe
from inkling.registry.records import Progress
from training.data.shuffling import shuffled_batches
from training.data.synthetic_digits import add_synthetic_digits
from training.lessons import NO_LESSONS, Feedback, Lessons
from training.model import accuracy
from training.predictions import probabilities_of, split_logits
from training.snapshot import Parameters, TrainingState
from training.trainer import Trainer

Tensors = tuple[tf.Tensor, tf.Tensor]
CORRECTIONS = 1024
"""The number of corrections that a run learns is filled up to a multiple of this."""


def to_tensors(split: Split) -> Tensors:
    """Return flattened images, uint8 (n, 784), and labels, int32 (n,), as `Trainer.run_steps` takes them."""
    return tf.constant(split.images.reshape(-1, NUM_PIXELS)), tf.constant(split.labels, tf.int32)


class DivergedError(InklingError):
    """The loss is not finite, or so large that training cannot recover."""


def train(
    recipe: Recipe,
    dataset: Dataset,
    on_progress: Callable[[Progress, Callable[[], TrainingState]], None],
    resume: TrainingState | None = None,
    on_drawn: Callable[[int, int], None] = lambda drawn, total: None,
    *,
    lessons: Lessons = NO_LESSONS,
    make_trainer: Callable[[Recipe, int], Trainer] = Trainer,
    make_tensors: Callable[[Split], Tensors] = to_tensors,
) -> Parameters:
    """Train a new network, or resume from a state, and return its parameters, named as in the checkpoint file.

    A resumed training ends with the same parameters, bit for bit, as an uninterrupted one, on the same machine with
    the same number of threads.

    Args:
        recipe: the hyperparameters.
        dataset: the images to train and to evaluate on.
        on_progress: called after every `recipe.display_step` steps, with their progress and with a function that
            copies the state to resume from. An exception that it raises ends the training.
        resume: the state to resume from.
        on_drawn: called with the number of synthetic digits drawn so far, from 0, and with their total.
        lessons: the corrections to learn and the parameters to start from.
        make_trainer: called with the recipe and the number of images; returns a trainer, new or restarted.
        make_tensors: called with the dataset's own split if nothing is added to it; returns its tensors, which may be
            kept, as `to_tensors` does.

    Raises:
        DatasetError: no image would be left to train on, or the recipe adds digits to other classes.
        DivergedError: the loss is not finite, or too large.
    """
    if recipe.synthetic and not dataset.shows_digits:
        raise DatasetError(
            f"the recipe {recipe.name} adds synthetic digits (synthetic is {recipe.synthetic:g}), and {dataset.name} "
            "shows no digits: take the recipe general, or set synthetic=0"
        )
    train_split, validation_split = dataset.hold_out(recipe.validation_size)
    train_split = add_synthetic_digits(train_split, recipe.synthetic, recipe.seed, on_drawn)
    size, feedback = len(train_split), lessons.feedback
    if feedback:
        images, labels = to_tensors(join(train_split, _padded(feedback.learned)))
    else:
        images, labels = (to_tensors if recipe.synthetic else make_tensors)(train_split)
    trainer = make_trainer(recipe, len(labels))
    if lessons.base:
        trainer.start_from(lessons.base)
    step, elapsed_s = 0, 0.0
    if resume:
        step, elapsed_s = resume.step, resume.elapsed_s
        trainer.restore(resume)
    started = time.perf_counter() - elapsed_s
    for indices in shuffled_batches(recipe, size, skip=step):
        if feedback:
            _mix_in(indices, feedback, recipe, step, size)
        loss, batch_accuracy = trainer.run_steps(indices, step, images, labels)
        step += len(indices)
        _check_loss(loss, step, recipe)
        if step % recipe.display_step:
            continue  # the steps after the last display step
        validation_accuracy, validation_loss = _held_out_scores(validation_split, trainer.result())
        progress = Progress(
            step=step,
            loss=loss,
            accuracy=batch_accuracy,
            validation_accuracy=validation_accuracy,
            elapsed_s=time.perf_counter() - started,
            validation_loss=validation_loss,
        )
        on_progress(progress, partial(trainer.copy_state, step, progress.elapsed_s, lessons.digest, dataset.digest))
    return trainer.result()


def _padded(corrections: Split) -> Split:
    """Return corrections, followed by blank images that are never chosen, up to a multiple of CORRECTIONS.

    XLA compiles for a number of images, and keeps the code until the process ends: 6 MB. Without the blank ones, each
    run after a new correction would be compiled.
    """
    blank = -len(corrections) % CORRECTIONS
    return join(corrections, Split(np.zeros((blank, SIDE, SIDE), np.uint8), np.zeros(blank, np.uint8)))


def _mix_in(indices: NDArray[np.int32], feedback: Feedback, recipe: Recipe, step: int, first: int) -> None:
    """Replace the last indices of each batch (steps, batch) with those of corrections, which are counted from `first`.

    The last ones: `augment` corrupts the first ones, and people's pictures must not be corrupted.
    """
    count = max(1, round(recipe.feedback * recipe.batch_size))
    indices[:, -count:] = first + feedback.sample((len(indices), count), [recipe.seed, 8, step])


def _check_loss(loss: float, step: int, recipe: Recipe) -> None:
    """Check that training can recover from the loss of a step.

    A network that guesses has a loss of ln(10) per image. After a display step a working training is far below that;
    the limit is four times as much.

    Raises:
        DivergedError: the loss is above the limit or not a number.
    """
    limit = 4 * math.log(NUM_CLASSES) * recipe.batch_size
    if not loss <= limit:  # true for NaN, too
        raise DivergedError(
            f"the loss is {loss:g} after step {step}, and training cannot recover from more than {limit:g}: "
            f"the learning rate {recipe.learning_rate:g} is too high for batches of {recipe.batch_size}; lower it"
        )


def _held_out_scores(held_out: Split, parameters: Parameters) -> tuple[float, float] | tuple[None, None]:
    """Return accuracy and mean cross-entropy on the held-out images, without a temperature, which is fitted last."""
    if not len(held_out):
        return None, None
    probabilities = probabilities_of(split_logits(held_out, parameters))
    labels = tf.constant(held_out.labels, tf.int32)
    return float(accuracy(probabilities, labels)), cross_entropy(probabilities, held_out.labels)
