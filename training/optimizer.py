"""How the weights move: the step size over time, Adam, and the moving average of the weights."""

import math

import tensorflow as tf

from training.model import Variables, cross_entropy_of_logits, logits, named
from training.recipe import Recipe

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8
"""Adam's published values."""


def learning_rate_at(step: tf.Tensor, recipe: Recipe) -> tf.Tensor:
    """Return the step size of step number `step`, float32 (), from 0: warm-up (Goyal et al. 2017), then cosine decay.

    Cosine decay: Loshchilov and Hutter 2017, "SGDR" (https://arxiv.org/abs/1608.03983), equation 5, without restarts.
    """
    rate = tf.constant(recipe.learning_rate)
    if recipe.warmup_steps:
        rate *= tf.minimum(1.0, (step + 1) / recipe.warmup_steps)
    if recipe.decay == "cosine":
        rate *= 0.5 * (1 + tf.cos(math.pi * step / recipe.training_steps))
    return rate


class Adam:
    """Adam (Kingma and Ba 2015, https://arxiv.org/abs/1412.6980, algorithm 1) on raw variables."""

    def __init__(self, weights: Variables, biases: Variables) -> None:
        self.weights, self.biases = weights, biases
        variables = named(weights, biases)
        self.first_moments = {name: tf.Variable(tf.zeros_like(variable)) for name, variable in variables.items()}
        self.second_moments = {name: tf.Variable(tf.zeros_like(variable)) for name, variable in variables.items()}

    def run_optimization(self, x: tf.Tensor, y: tf.Tensor, step: tf.Tensor, learning_rate: tf.Tensor) -> None:
        """Take step number `step`, float32 () from 0, on images x (batch, 784) and labels y (batch,), in place."""
        variables = named(self.weights, self.biases)
        with tf.GradientTape() as g:
            loss = cross_entropy_of_logits(logits(x, self.weights, self.biases), y) / x.shape[0]
        gradients = g.gradient(loss, variables)
        first_share = 1 - tf.pow(BETA_1, step + 1)  # of the moments, what does not come from their start at 0
        second_share = 1 - tf.pow(BETA_2, step + 1)
        for name, variable in variables.items():
            first, second = self.first_moments[name], self.second_moments[name]
            first.assign(BETA_1 * first + (1 - BETA_1) * gradients[name])
            second.assign(BETA_2 * second + (1 - BETA_2) * gradients[name] ** 2)
            change = (first / first_share) / (tf.sqrt(second / second_share) + EPSILON)
            variable.assign_sub(learning_rate * change)


def update_averages(averages: Variables, variables: Variables, step: tf.Tensor, decay: float) -> None:
    """Move each average towards its variable, in place: an exponential moving average, quicker in the first steps.

    Polyak and Juditsky 1992; the ramp (1 + step) / (10 + step) is that of TensorFlow 1's ExponentialMovingAverage.
    """
    decay_now = tf.minimum(decay, (1 + step) / (10 + step))
    for name, average in averages.items():
        average.assign(decay_now * average + (1 - decay_now) * variables[name])
