"""What learns: a network's variables, what moves beside them, and the compiled steps that move them."""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from inkling.errors import CheckpointError
from inkling.network.recipe import Recipe
from training.data.augmentation import augment, draw, strength_at
from training.model import (
    Variables,
    accuracy,
    cross_entropy,
    cross_entropy_of_logits,
    initial_biases,
    initial_weights,
    logits,
    named,
    neural_net,
    run_optimization,
)
from training.optimizer import Adam, Gradients, Muon, decay_weights, learning_rate_at, update_averages
from training.snapshot import Parameters, TrainingState

OPTIMIZERS: dict[str, type[Adam | Muon]] = {"adam": Adam, "muon": Muon}


class Trainer:
    """A network in training. Owns its variables; everything else about it follows from the recipe."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.weights, self.biases = initial_weights(recipe.seed), initial_biases()
        self.variables = named(self.weights, self.biases)
        self.optimizer = OPTIMIZERS[recipe.optimizer](self.variables) if recipe.optimizer != "sgd" else None
        self.averages: Variables = {}
        if recipe.ema_decay:
            self.averages = {name: tf.Variable(variable) for name, variable in self.variables.items()}

    def run_steps(
        self, indices: NDArray[np.int32], first_step: int, images: tf.Tensor, labels: tf.Tensor
    ) -> tuple[float, float]:
        """Take many steps in one call, and return the loss, summed, and the accuracy on the last one's images.

        On the images as they are, not as they were changed: a loop that kept its last batch would copy each one.

        One XLA call for a hundred steps costs 1.5 s to compile and saves the 0.1 ms or more that entering each step
        costs.

        Args:
            indices: which images each step learns from, (steps, batch).
            first_step: the number of the first of them, from 0.
            images: uint8 (n, 784). As an argument, because XLA would copy a captured constant at every step.
            labels: int32 (n,).
        """
        self._run_steps(tf.constant(indices), tf.constant(first_step), images, labels)
        loss, share = self._score(tf.constant(indices[-1]), images, labels)
        return float(loss), float(share)

    @tf.function(jit_compile=True, autograph=False)  # AutoGraph would rewrite every function that it meets: 0.5 s
    def _run_steps(self, indices: tf.Tensor, first_step: tf.Tensor, images: tf.Tensor, labels: tf.Tensor) -> None:
        recipe = self.recipe
        steps, batch_size = indices.shape
        numbers = draw(steps, batch_size, self._seed(first_step)) if recipe.is_augmented else None

        def batch(i: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            # In halves, as run_optimization takes its loss: XLA then makes each beside the other, and never the whole.
            chosen, middle = indices[i], batch_size // 2
            x = tf.concat([scale(tf.gather(images, half)) for half in (chosen[:middle], chosen[middle:])], 0)
            if numbers is not None:
                strength = strength_at(tf.cast(first_step + i, tf.float32), recipe)
                x = augment(x, numbers.of_step(i, round(recipe.corrupted * batch_size)), strength, recipe)
            return x, tf.gather(labels, chosen)

        def take_step(i: tf.Tensor) -> tuple[tf.Tensor]:
            x, y = batch(i)
            step = tf.cast(first_step + i, tf.float32)
            learning_rate = learning_rate_at(step, recipe)
            if self.optimizer:
                self.optimizer.update(self._gradients(x, y), step, learning_rate)
            else:
                run_optimization(x, y, self.weights, self.biases, learning_rate)
            if recipe.weight_decay:
                decay_weights(self.weights, learning_rate * recipe.weight_decay)
            update_averages(self.averages, self.variables, step, recipe.ema_decay)
            return (i + 1,)

        tf.while_loop(lambda i: i < steps, take_step, (0,))

    @tf.function(autograph=False)  # not by XLA, which would take longer to compile it than it ever saves
    def _score(self, indices: tf.Tensor, images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the loss, summed, and the accuracy on images (n,)."""
        x, y = scale(tf.gather(images, indices)), tf.gather(labels, indices)
        pred = neural_net(x, self.weights, self.biases)
        return cross_entropy(pred, y), accuracy(pred, y)

    def _gradients(self, x: tf.Tensor, y: tf.Tensor) -> Gradients:
        """Return the gradients of the mean cross-entropy of images x (batch, 784) with labels y (batch,)."""
        with tf.GradientTape() as g:
            loss = cross_entropy_of_logits(logits(x, self.weights, self.biases), y) / x.shape[0]
        gradients: Gradients = g.gradient(loss, self.variables)
        return gradients

    def _seed(self, step: tf.Tensor) -> tf.Tensor:
        """Return the seed (2,) of a call's random numbers; it is three seeds: `augmentation` counts on from it."""
        return tf.stack([self.recipe.seed, 3 * step])

    def result(self) -> Parameters:
        """Return what the training has come to: the averages if the recipe has them, else the variables."""
        return _copy(self.averages or self.variables)

    def copy_state(self, step: int, elapsed_s: float) -> TrainingState:
        return TrainingState(step, elapsed_s, _copy(self.variables), _copy(self._slots()))

    def restore(self, state: TrainingState) -> None:
        """Go on from a state.

        Raises:
            CheckpointError: it belongs to another kind of recipe.
        """
        slots = self._slots()
        if slots.keys() != state.slots.keys():
            raise CheckpointError(f"the state holds {sorted(state.slots)}, expected {sorted(slots)}")
        for variables, values in ((self.variables, state.parameters), (slots, state.slots)):
            for name, variable in variables.items():
                variable.assign(values[name])

    def _slots(self) -> Variables:
        """Return what moves beside the variables, named as in `TrainingState`."""
        groups = {"averages": self.averages}
        if self.optimizer:
            groups |= {"first_moments": self.optimizer.first_moments, "second_moments": self.optimizer.second_moments}
        return {f"{group}/{name}": slot for group, slots in groups.items() for name, slot in slots.items()}


def scale(pixels: tf.Tensor) -> tf.Tensor:
    """Return pixels 0 to 255 as float32, 0 ground to 1 ink."""
    return tf.cast(pixels, tf.float32) / 255.0


def _copy(variables: Variables) -> Parameters:
    return {name: variable.numpy() for name, variable in variables.items()}
