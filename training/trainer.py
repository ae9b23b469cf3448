"""The trainer of one network: its variables, its optimizer, and the compiled steps that update them."""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from inkling.errors import CheckpointError
from inkling.network.recipe import Recipe
from training.data.augmentation import augment, sample_inputs, strength_at
from training.model import (
    Variables,
    accuracy,
    cross_entropy,
    initial_biases,
    initial_weights,
    logits,
    named,
    neural_net,
)
from training.optimizer import Adam, Gradients, LearningRate, Muon, decay_weights, factor_at, update_averages
from training.snapshot import Parameters, TrainingState

OPTIMIZERS: dict[str, type[Adam | Muon]] = {"adam": Adam, "muon": Muon}


NOT_COMPILED = (
    "name",
    "learning_rate",
    "shuffle_buffer",
    "validation_size",
    "synthetic",
    "feedback",
    "base",
    "seed",
)
"""The fields of a recipe that no compiled step depends on: they choose its images, or it reads them from a variable."""


class Trainer:
    """Trains a network. Owns its variables; everything else follows from the recipe.

    Args:
        recipe: the hyperparameters.
        images: number of images that it learns from. The steps are compiled for this number.
    """

    def __init__(self, recipe: Recipe, images: int) -> None:
        self.recipe, self._images = recipe, images
        self._learning_rate = tf.Variable(recipe.learning_rate, dtype=tf.float32)
        self._random_seed = tf.Variable(recipe.seed, dtype=tf.int32)
        self.weights, self.biases = initial_weights(recipe.seed), initial_biases()
        self.variables = named(self.weights, self.biases)
        self.optimizer = OPTIMIZERS[recipe.optimizer](self.variables) if recipe.optimizer != "sgd" else None
        self.averages: Variables = {}
        if recipe.ema_decay:
            self.averages = {name: tf.Variable(variable) for name, variable in self.variables.items()}

    def fits(self, recipe: Recipe, images: int) -> bool:
        """Return whether the compiled steps of this trainer train a recipe on so many images."""
        alike = self.recipe.model_copy(update={name: getattr(recipe, name) for name in NOT_COMPILED})
        return alike == recipe and images == self._images

    def restart(self, recipe: Recipe) -> None:
        """Begin the training of a recipe that fits, with every value that a new trainer would have."""
        self.recipe = recipe
        self._learning_rate.assign(recipe.learning_rate)
        self._random_seed.assign(recipe.seed)
        self.start_from(_copy(named(initial_weights(recipe.seed), initial_biases())))
        for moments in self._moments().values():
            for moment in moments.values():
                moment.assign(tf.zeros_like(moment))

    def start_from(self, parameters: Parameters) -> None:
        """Start from the parameters of a trained network (fine-tuning) instead of random ones."""
        for variables in (self.variables, self.averages):
            for name, variable in variables.items():
                variable.assign(parameters[name])

    def run_steps(
        self, indices: NDArray[np.int32], first_step: int, images: tf.Tensor, labels: tf.Tensor
    ) -> tuple[float, float]:
        """Take many steps in one call, and return the summed loss and the accuracy on the last step's images.

        Scored on the images before augmentation: keeping the augmented batch would make XLA copy it at every step.

        One XLA call for a hundred steps takes 1.5 s to compile, and saves 0.1 ms or more per step, the cost of calling
        a compiled function.

        Args:
            indices: indices of the images that each step learns from, (steps, batch).
            first_step: number of the first of these steps, counted from 0.
            images: uint8 (n, 784). An argument, because XLA would copy a captured constant at every step.
            labels: int32 (n,).
        """
        self._run_steps(tf.constant(indices), tf.constant(first_step), images, labels)
        loss, batch_accuracy = self._score(tf.constant(indices[-1]), images, labels)
        return float(loss), float(batch_accuracy)

    @tf.function(jit_compile=True, autograph=False)  # AutoGraph would rewrite every function it meets: 0.5 s
    def _run_steps(self, indices: tf.Tensor, first_step: tf.Tensor, images: tf.Tensor, labels: tf.Tensor) -> None:
        recipe, maximum = self.recipe, self._learning_rate.read_value()
        steps, batch_size = indices.shape
        inputs = sample_inputs(steps, batch_size, self._seed(first_step)) if recipe.is_augmented else None

        def batch(i: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            # In two halves, like the loss in `take_sgd_step`: XLA computes them in parallel and never stores the whole.
            chosen, middle = indices[i], batch_size // 2
            x = tf.concat([scale(tf.gather(images, half)) for half in (chosen[:middle], chosen[middle:])], 0)
            if inputs is not None:
                strength = strength_at(tf.cast(first_step + i, tf.float32), recipe)
                x = augment(x, inputs.at_step(i, round(recipe.corrupted * batch_size)), strength, recipe)
            return x, tf.gather(labels, chosen)

        def take_step(i: tf.Tensor) -> tuple[tf.Tensor]:
            x, y = batch(i)
            step = tf.cast(first_step + i, tf.float32)
            learning_rate = LearningRate(maximum, factor_at(step, recipe))
            if self.optimizer:
                self.optimizer.update(self._gradients(x, y), step, learning_rate)
            else:
                take_sgd_step(x, y, self.weights, self.biases, learning_rate.value())
            if recipe.weight_decay:
                decay_weights(self.weights, learning_rate.value(times=recipe.weight_decay))
            update_averages(self.averages, self.variables, step, recipe.ema_decay)
            return (i + 1,)

        tf.while_loop(lambda i: i < steps, take_step, (0,))

    @tf.function(autograph=False)  # without XLA, whose compilation would take longer than it ever saves
    def _score(self, indices: tf.Tensor, images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the summed loss and the accuracy on the images with these indices (n,)."""
        x, y = scale(tf.gather(images, indices)), tf.gather(labels, indices)
        pred = neural_net(x, self.weights, self.biases)
        return cross_entropy(pred, y), accuracy(pred, y)

    def _gradients(self, x: tf.Tensor, y: tf.Tensor) -> Gradients:
        """Return the gradients of the mean cross-entropy of images x (batch, 784) with labels y (batch,).

        Computed from the logits, without the tutorial's clipping: exact however confident the network is.
        """
        with tf.GradientTape() as g:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits(x, self.weights, self.biases))  # (batch,)
            loss = tf.reduce_sum(losses) / x.shape[0]
        gradients: Gradients = g.gradient(loss, self.variables)
        return gradients

    def _seed(self, step: tf.Tensor) -> tf.Tensor:
        """Return the seed (2,) of a call's random numbers. `sample_inputs` uses it and the next two, hence the 3."""
        return tf.stack([self._random_seed, 3 * step])

    def result(self) -> Parameters:
        """Return the trained parameters: the averages if the recipe has them, else the variables."""
        return _copy(self.averages or self.variables)

    def copy_state(self, step: int, elapsed_s: float, feedback: str = "", dataset: str = "") -> TrainingState:
        return TrainingState(step, elapsed_s, _copy(self.variables), _copy(self._slots()), feedback, dataset)

    def restore(self, state: TrainingState) -> None:
        """Continue from a state.

        Raises:
            CheckpointError: the state belongs to a recipe with another optimizer or other averages.
        """
        slots = self._slots()
        if slots.keys() != state.slots.keys():
            raise CheckpointError(f"the state holds {sorted(state.slots)}, expected {sorted(slots)}")
        for variables, values in ((self.variables, state.parameters), (slots, state.slots)):
            for name, variable in variables.items():
                variable.assign(values[name])

    def _slots(self) -> Variables:
        """Return the optimizer's moments and the averages, named as in `TrainingState`."""
        groups = {"averages": self.averages, **self._moments()}
        return {f"{group}/{name}": slot for group, slots in groups.items() for name, slot in slots.items()}

    def _moments(self) -> dict[str, Variables]:
        if self.optimizer is None:
            return {}
        return {"first_moments": self.optimizer.first_moments, "second_moments": self.optimizer.second_moments}


def take_sgd_step(x: tf.Tensor, y: tf.Tensor, weights: Variables, biases: Variables, learning_rate: tf.Tensor) -> None:
    """Take the step of `model.run_optimization` with plain SGD, in place, written so that XLA compiles it to fast code.

    The loss, a sum, is computed in two halves: XLA compiles them to two independent chains of matrix products that
    join once per step, and these keep two cores busier than one chain in which each product is split. The weights of
    the output layer are transposed twice, so that XLA computes their gradient as 10 rows by 256 columns, which is far
    faster than 256 by 10.
    """
    half = x.shape[0] // 2
    with tf.GradientTape() as g:
        transposed = tf.transpose(weights["out"])  # (10, 256)
        losses = [
            cross_entropy(neural_net(x[rows], {**weights, "out": tf.transpose(transposed)}, biases), y[rows])
            for rows in (slice(half), slice(half, None))
        ]
        loss = tf.add_n(losses)
    trainable_variables = [*weights.values(), *biases.values()]
    gradients = g.gradient(loss, trainable_variables)
    for variable, gradient in zip(trainable_variables, gradients, strict=True):
        variable.assign_sub(learning_rate * gradient)


def scale(pixels: tf.Tensor) -> tf.Tensor:
    """Return pixels, 0 to 255, as float32, 0 background to 1 foreground."""
    return tf.cast(pixels, tf.float32) / 255.0


def _copy(variables: Variables) -> Parameters:
    return {name: variable.numpy() for name, variable in variables.items()}
