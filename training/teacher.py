"""The teacher: a convolutional network that learns first, and tells the small one how like each digit an image is.

Learning from a better network's probabilities: Hinton, Vinyals and Dean 2015, "Distilling the knowledge in a neural
network" (https://arxiv.org/abs/1503.02531). It is not kept: what ships is the small network alone.
"""

import tensorflow as tf

from training.dataset import NUM_CLASSES, SIDE
from training.model import Variables, accuracy, cross_entropy_of_logits
from training.optimizer import Adam, learning_rate_at, update_averages
from training.recipe import Recipe

CHANNELS = (16, 32, 64)
FEATURES = SIDE // 4 * SIDE // 4 * CHANNELS[-1]
DROPPED = 0.4
"""Share of the features that a step leaves out (Srivastava et al. 2014)."""

AVERAGE_DECAY = 0.999
LEARNING_RATE = 0.002
WARMUP_SHARE = 1 / 25


class Teacher:
    """Three 3x3 convolutions with ReLU, the first two halved by max-pooling, and one matrix. Owns its variables.

    Not compiled by XLA, whose convolutions take ten times as long on a CPU as TensorFlow's own.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.schedule = recipe.with_overrides(
            {
                "learning_rate": LEARNING_RATE,
                "warmup_steps": int(WARMUP_SHARE * recipe.teacher_steps),
                "decay": "cosine",
                "training_steps": recipe.teacher_steps,
                "teacher": 0,
            }
        )
        self.variables = _initial_variables(recipe.seed)
        self.adam = Adam(self.variables)
        self.averages = {name: tf.Variable(variable) for name, variable in self.variables.items()}

    @tf.function
    def learn(self, x: tf.Tensor, y: tf.Tensor, first_step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Take a step from each batch of x (steps, batch, 784) and y (steps, batch).

        Returns the last step's loss, summed over its batch, and its accuracy.
        """
        loss, batch_accuracy = tf.constant(0.0), tf.constant(0.0)
        for i in tf.range(x.shape[0]):
            kept = self._kept(x.shape[1], first_step + i)
            with tf.GradientTape() as g:
                y_logits = tf.matmul(_features(x[i], self.variables) * kept, self.variables["out/kernel"])
                y_logits += self.variables["out/bias"]
                loss = cross_entropy_of_logits(y_logits, y[i])
                mean = loss / x.shape[1]
            step = tf.cast(first_step + i, tf.float32)
            self.adam.apply(g.gradient(mean, self.variables), step, learning_rate_at(step, self.schedule))
            update_averages(self.averages, self.variables, step, AVERAGE_DECAY)
            batch_accuracy = accuracy(y_logits, y[i])
        return loss, batch_accuracy

    @tf.function
    def logits(self, x: tf.Tensor) -> tf.Tensor:
        """Return what it says of images (..., 784), float32 (..., 10), in nats."""
        flat = tf.reshape(x, [-1, x.shape[-1]])
        y_logits = tf.matmul(_features(flat, self.averages), self.averages["out/kernel"]) + self.averages["out/bias"]
        return tf.reshape(y_logits, [*x.shape[:-1], NUM_CLASSES])

    def slots(self) -> Variables:
        """Return its variables and what moves beside them, named as in `TrainingState`."""
        groups = {
            "teacher": self.variables,
            "teacher_averages": self.averages,
            "teacher_first_moments": self.adam.first_moments,
            "teacher_second_moments": self.adam.second_moments,
        }
        return {f"{group}/{name}": slot for group, slots in groups.items() for name, slot in slots.items()}

    def _kept(self, batch_size: int, step: tf.Tensor) -> tf.Tensor:
        """Return what a step multiplies the features with, (batch, features): 0, or more than 1 to make up for it."""
        numbers = tf.random.stateless_uniform([batch_size, FEATURES], tf.stack([self.recipe.seed, step]), alg="philox")
        return tf.cast(numbers >= DROPPED, tf.float32) / (1 - DROPPED)


def _initial_variables(seed: int) -> Variables:
    """Return new variables: kernels after He et al. 2015, biases of zeros."""
    shapes: dict[str, tuple[int, ...]] = {"out": (FEATURES, NUM_CLASSES)}
    for layer, (before, after) in enumerate(zip((1, *CHANNELS), CHANNELS, strict=False), start=1):
        shapes[f"conv_{layer}"] = (3, 3, before, after)
    variables: Variables = {}
    for i, (name, shape) in enumerate(sorted(shapes.items())):
        variables[f"{name}/kernel"] = tf.Variable(tf.initializers.HeNormal(seed=seed + i)(shape))
        variables[f"{name}/bias"] = tf.Variable(tf.zeros([shape[-1]]))
    return variables


def _features(x: tf.Tensor, variables: Variables) -> tf.Tensor:
    """Return what the last layer reads of images (n, 784), float32 (n, features)."""
    x = tf.reshape(x, [-1, SIDE, SIDE, 1])
    x = _layer(x, variables, "conv_1", is_halved=True)  # (n, 14, 14, 16)
    x = _layer(x, variables, "conv_2", is_halved=True)  # (n, 7, 7, 32)
    x = _layer(x, variables, "conv_3", is_halved=False)  # (n, 7, 7, 64)
    return tf.reshape(x, [-1, FEATURES])


def _layer(x: tf.Tensor, variables: Variables, name: str, is_halved: bool) -> tf.Tensor:
    x = tf.nn.conv2d(x, variables[f"{name}/kernel"], 1, "SAME")
    if is_halved:
        x = tf.nn.max_pool2d(x, 2, 2, "SAME")  # before the bias and the ReLU: the same result for less work
    return tf.nn.relu(x + variables[f"{name}/bias"])
