"""What learns: a network's variables, what moves beside them, and the compiled steps that move them."""

from collections.abc import Callable

import tensorflow as tf

from training.augmentation import augment, draw, strength_at
from training.batches import Batches, scale, seed_of
from training.centring import plain_biases, start_centred
from training.checkpoint import CheckpointError
from training.model import (
    NUM_FEATURES,
    Variables,
    accuracy,
    cross_entropy,
    cross_entropy_of_logits,
    cross_entropy_to_teacher,
    initial_biases,
    initial_weights,
    logits,
    named,
    run_optimization,
)
from training.optimizer import Adam, learning_rate_at, update_averages
from training.recipe import Recipe
from training.state import Parameters, TrainingState
from training.teacher import Teacher

CHUNK = 20
"""Steps whose images are changed in one call, where a teacher looks at them: 130 MB in its first layer."""


class Learner:
    """A network in training, and its teacher. Owns their variables; everything else follows from the recipe."""

    def __init__(self, recipe: Recipe, between_calls: Callable[[], None] = lambda: None) -> None:
        """`between_calls` is called before each chunk of a display step with a teacher, which takes long."""
        self.recipe = recipe
        self.between_calls = between_calls
        self.weights, self.biases = initial_weights(recipe.seed), initial_biases()
        if recipe.centred:
            start_centred(self.weights, self.biases)
        self.variables = named(self.weights, self.biases)
        self.adam = Adam(self.variables)
        self.averages: Variables = {}
        if recipe.average_decay:
            self.averages = {name: tf.Variable(variable) for name, variable in self.variables.items()}
        self.batches = Batches(recipe)
        self.teacher = Teacher(recipe) if recipe.teacher_steps else None

    def run_steps(
        self, indices: tf.Tensor, first_step: int, images: tf.Tensor, labels: tf.Tensor
    ) -> tuple[float, float]:
        """Take many steps in one call, and return the last one's loss, summed over its batch, and its accuracy.

        In the steps that are the teacher's, these are the teacher's.

        Args:
            indices: which images each step learns from, integer (steps, batch).
            first_step: the number of the first of them, from 0.
            images: uint8 (n, 784). As an argument, because XLA would copy a captured constant at every step.
            labels: int32 (n,).
        """
        if self.teacher is None:
            x, y = self._run_steps(indices, tf.constant(first_step), images, labels)
            loss, batch_accuracy = self._show(x, y)
        elif first_step < self.recipe.teacher_steps:
            loss, batch_accuracy = self._teach(self.teacher, indices, first_step, images, labels)
        else:
            x, y = self._run_taught_steps(self.teacher, indices, first_step, images, labels)
            loss, batch_accuracy = self._show(x, y)
        return float(loss), float(batch_accuracy)

    def _show(self, x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the loss and the accuracy of a batch: outside the compiled steps, which take longer to compile."""
        pred = tf.nn.softmax(self._logits(x, self.variables))
        return cross_entropy(pred, y), accuracy(pred, y)

    @tf.function(jit_compile=True, autograph=False)  # AutoGraph would rewrite every function that it meets: 0.5 s
    def _run_steps(
        self, indices: tf.Tensor, first_step: tf.Tensor, images: tf.Tensor, labels: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Take steps from the labels, and return the last one's batch: x (batch, 784) and y (batch,).

        One XLA call for a hundred steps costs 1.5 s to compile and saves the 0.1 ms or more that entering each step
        costs.
        """
        recipe = self.recipe
        steps, batch_size = indices.shape
        numbers = draw(steps, batch_size, seed_of(recipe, first_step)) if recipe.is_augmented else None

        def batch(i: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            x, y = scale(tf.gather(images, indices[i])), tf.gather(labels, indices[i])
            if numbers is not None:
                strength = strength_at(tf.cast(first_step + i, tf.float32), recipe)
                x = augment(x, numbers[i], seed_of(recipe, first_step + i), strength, recipe)
            return x, y

        def take_step(i: tf.Tensor, *_: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            batch_x, batch_y = batch(i)
            step = tf.cast(first_step + i, tf.float32)
            if recipe.optimizer == "adam":
                with tf.GradientTape() as g:
                    loss = cross_entropy_of_logits(self._logits(batch_x, self.variables), batch_y) / batch_size
                self.adam.apply(g.gradient(loss, self.variables), step, learning_rate_at(step, recipe))
            else:
                run_optimization(batch_x, batch_y, self.weights, self.biases, learning_rate_at(step, recipe))
            update_averages(self.averages, self.variables, step, recipe.average_decay)
            return i + 1, batch_x, batch_y

        none_yet = (tf.zeros([batch_size, NUM_FEATURES]), tf.zeros([batch_size], tf.int32))
        _, batch_x, batch_y = tf.while_loop(lambda i, *_: i < steps, take_step, (0, *none_yet))
        return batch_x, batch_y

    def _teach(
        self, teacher: Teacher, indices: tf.Tensor, first_step: int, images: tf.Tensor, labels: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Have the teacher take the steps."""
        for i in range(0, len(indices), CHUNK):
            self.between_calls()
            step = tf.constant(first_step + i)
            x, y = self.batches.changed(indices[i : i + CHUNK], step, tf.constant(1.0), images, labels)
            loss, batch_accuracy = teacher.learn(x, y, step)
        return loss, batch_accuracy

    def _run_taught_steps(
        self, teacher: Teacher, indices: tf.Tensor, first_step: int, images: tf.Tensor, labels: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Take steps from what the teacher says, `recipe.repeats` times from the same images in another order.

        Returns the last one's batch. To change images and to ask the teacher takes ten times as long as a step from
        its answers.
        """
        for i in range(0, len(indices), CHUNK):
            self.between_calls()
            chunk, step = indices[i : i + CHUNK], tf.constant(first_step + i)
            if i // CHUNK % self.recipe.repeats == 0:
                strength = strength_at(tf.cast(step - self.recipe.teacher_steps, tf.float32), self.recipe)
                x, y = self.batches.changed(chunk, step, strength, images, labels)
                teacher_logits = teacher.logits(x)
            else:
                x, y, teacher_logits = self.batches.shuffled(x, y, teacher_logits, step)
            steps = len(chunk)
            self._learn_from(x[:steps], teacher_logits[:steps], step)
        return x[steps - 1], y[steps - 1]

    @tf.function(jit_compile=True, autograph=False)
    def _learn_from(self, x: tf.Tensor, teacher_logits: tf.Tensor, first_step: tf.Tensor) -> None:
        """Take a step from each of the batches x (steps, batch, 784), of which the teacher says (steps, batch, 10)."""
        recipe = self.recipe
        steps, batch_size, _ = x.shape

        def take_step(i: tf.Tensor) -> tuple[tf.Tensor]:
            step = tf.cast(first_step + i - recipe.teacher_steps, tf.float32)
            with tf.GradientTape() as g:
                y_logits = self._logits(x[i], self.variables)
                loss = cross_entropy_to_teacher(y_logits, teacher_logits[i], recipe.softness) / batch_size
            self.adam.apply(g.gradient(loss, self.variables), step, learning_rate_at(step, recipe))
            update_averages(self.averages, self.variables, step, recipe.average_decay)
            return (i + 1,)

        tf.while_loop(lambda i: i < steps, take_step, (0,))

    def logits(self, images: tf.Tensor, step: int) -> tf.Tensor:
        """Return the logits (n, 10) of what learns at a step, the network or its teacher, for images uint8 (n, 784)."""
        if self.teacher and step <= self.recipe.teacher_steps:
            parts = range(0, len(images), 1000)  # 50 MB each in its first layer
            return tf.concat([self.teacher.logits(scale(images[i : i + 1000])) for i in parts], 0)
        return self._logits(scale(images), self.averages or self.variables)

    def result(self) -> Parameters:
        """Return what the training has come to, the averages if the recipe has them, as the network that it is."""
        weights, biases = self._network(self.averages or self.variables)
        return _copy(named(weights, biases))

    def _logits(self, x: tf.Tensor, variables: Variables) -> tf.Tensor:
        return logits(x, *self._network(variables))

    def _network(self, variables: Variables) -> tuple[Variables, Variables]:
        """Return the weights and the biases that the network has with these variables, its own or their averages."""
        weights = {name: variables[f"weights/{name}"] for name in self.weights}
        biases = {name: variables[f"biases/{name}"] for name in self.biases}
        return weights, plain_biases(weights, biases) if self.recipe.centred else biases

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
                if values[name].shape != variable.shape:
                    raise CheckpointError(f"{name} has shape {values[name].shape}, expected {tuple(variable.shape)}")
                variable.assign(values[name])

    def _slots(self) -> Variables:
        """Return what moves beside the variables, named as in `TrainingState`."""
        groups = {"averages": self.averages}
        if self.recipe.optimizer == "adam":
            groups |= {"first_moments": self.adam.first_moments, "second_moments": self.adam.second_moments}
        slots = {f"{group}/{name}": slot for group, slots in groups.items() for name, slot in slots.items()}
        return {**slots, **self.teacher.slots()} if self.teacher else slots


def _copy(variables: Variables) -> Parameters:
    return {name: variable.numpy() for name, variable in variables.items()}
