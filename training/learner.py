"""What learns: a network's variables, what moves beside them, and the compiled steps that move them."""

import tensorflow as tf

from training.augmentation import augment, draw, strength_at
from training.checkpoint import CheckpointError
from training.model import (
    NUM_FEATURES,
    Variables,
    accuracy,
    cross_entropy,
    initial_biases,
    initial_weights,
    named,
    neural_net,
    run_optimization,
)
from training.optimizer import Adam, learning_rate_at, update_averages
from training.recipe import Recipe
from training.state import Parameters, TrainingState


class Learner:
    """A network in training. Owns its variables; everything else about it follows from the recipe."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.weights, self.biases = initial_weights(recipe.seed), initial_biases()
        self.variables = named(self.weights, self.biases)
        self.adam = Adam(self.weights, self.biases) if recipe.optimizer == "adam" else None
        self.averages: Variables = {}
        if recipe.average_decay:
            self.averages = {name: tf.Variable(variable) for name, variable in self.variables.items()}

    def run_steps(
        self, indices: tf.Tensor, first_step: int, images: tf.Tensor, labels: tf.Tensor
    ) -> tuple[float, float]:
        """Take many steps in one call, and return the last one's loss, summed over its batch, and its accuracy.

        One XLA call for a hundred steps costs 1.5 s to compile and saves the 0.1 ms or more that entering each step
        costs.

        Args:
            indices: which images each step learns from, integer (steps, batch).
            first_step: the number of the first of them, from 0.
            images: uint8 (n, 784). As an argument, because XLA would copy a captured constant at every step.
            labels: int32 (n,).
        """
        x, y = self._run_steps(indices, tf.constant(first_step), images, labels)
        pred = neural_net(x, self.weights, self.biases)  # outside the compiled steps, which take longer to compile
        return float(cross_entropy(pred, y)), float(accuracy(pred, y))

    @tf.function(jit_compile=True, autograph=False)  # AutoGraph would rewrite every function that it meets: 0.5 s
    def _run_steps(
        self, indices: tf.Tensor, first_step: tf.Tensor, images: tf.Tensor, labels: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Take the steps, and return the last one's batch: x (batch, 784) and y (batch,)."""
        recipe = self.recipe
        steps, batch_size = indices.shape
        numbers = draw(steps, batch_size, self._seed(first_step)) if recipe.is_augmented else None

        def batch(i: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            x, y = scale(tf.gather(images, indices[i])), tf.gather(labels, indices[i])
            if numbers is not None:
                strength = strength_at(tf.cast(first_step + i, tf.float32), recipe)
                x = augment(x, numbers[i], self._seed(first_step + i), strength, recipe)
            return x, y

        def take_step(i: tf.Tensor, *_: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            batch_x, batch_y = batch(i)
            step = tf.cast(first_step + i, tf.float32)
            learning_rate = learning_rate_at(step, recipe)
            if self.adam:
                self.adam.run_optimization(batch_x, batch_y, step, learning_rate)
            else:
                run_optimization(batch_x, batch_y, self.weights, self.biases, learning_rate)
            update_averages(self.averages, self.variables, step, recipe.average_decay)
            return i + 1, batch_x, batch_y

        none_yet = (tf.zeros([batch_size, NUM_FEATURES]), tf.zeros([batch_size], tf.int32))
        _, batch_x, batch_y = tf.while_loop(lambda i, *_: i < steps, take_step, (0, *none_yet))
        return batch_x, batch_y

    def _seed(self, step: tf.Tensor) -> tf.Tensor:
        """Return the seed (2,) of a step's random numbers; it is three seeds: `augmentation` counts on from it."""
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
        if self.adam:
            groups |= {"first_moments": self.adam.first_moments, "second_moments": self.adam.second_moments}
        return {f"{group}/{name}": slot for group, slots in groups.items() for name, slot in slots.items()}


def scale(pixels: tf.Tensor) -> tf.Tensor:
    """Return pixels 0 to 255 as float32, 0 ground to 1 ink."""
    return tf.cast(pixels, tf.float32) / 255.0


def _copy(variables: Variables) -> Parameters:
    return {name: variable.numpy() for name, variable in variables.items()}
