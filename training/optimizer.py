"""The optimizers: the learning rate schedule, Adam, Muon, weight decay, and the moving average of the weights."""

import functools
import math
from typing import NamedTuple

import tensorflow as tf

from inkling.network.recipe import Recipe
from training.model import Variables

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8
"""Adam's published values."""
MOMENTUM, ADAM_SIZE = 0.95, 0.2
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Muon's published values."""

Gradients = dict[str, tf.Tensor]
"""By the names of the variables."""


class LearningRate(NamedTuple):
    """The step size of one step: the recipe's, which is a tensor so that another one compiles nothing, times a factor.

    Both are float32 ().
    """

    maximum: tf.Tensor
    factor: tf.Tensor
    """0 to 1."""

    def value(self, times: float = 1.0) -> tf.Tensor:
        """Return the step size times a constant, float32 ().

        The factor comes last, as in earlier releases, where the maximum was a constant and XLA multiplied the constants
        first: another order rounds differently.
        """
        return self.maximum * times * self.factor


def factor_at(step: tf.Tensor, recipe: Recipe) -> tf.Tensor:
    """Return the factor of the step size at step `step`, float32 () from 0: a linear warm-up, then cosine decay.

    Warm-up: Goyal et al. 2017 (https://arxiv.org/abs/1706.02677), section 2.2. Cosine decay: Loshchilov and Hutter
    2017, "SGDR" (https://arxiv.org/abs/1608.03983), equation 5, without restarts.
    """
    factor = tf.constant(1.0)
    if recipe.warmup_steps:
        factor *= tf.minimum(1.0, (step + 1) / recipe.warmup_steps)
    if recipe.decay == "cosine":
        factor *= 0.5 + 0.5 * tf.cos(math.pi * step / recipe.training_steps)
    return factor


class Adam:
    """Adam (Kingma and Ba 2015, https://arxiv.org/abs/1412.6980, algorithm 1) on raw variables."""

    def __init__(self, variables: Variables) -> None:
        self.variables = variables
        self.first_moments = {name: tf.Variable(tf.zeros_like(variable)) for name, variable in variables.items()}
        self.second_moments = {name: tf.Variable(tf.zeros_like(variable)) for name, variable in variables.items()}

    def update(self, gradients: Gradients, step: tf.Tensor, learning_rate: LearningRate) -> None:
        """Move the variables, in place, by their gradients of step number `step`, float32 () from 0."""
        bias_correction_1 = 1 - tf.pow(BETA_1, step + 1)  # the moments start at 0
        bias_correction_2 = 1 - tf.pow(BETA_2, step + 1)
        for name, variable in self.variables.items():
            first, second, gradient = self.first_moments[name], self.second_moments[name], gradients[name]
            first.assign(BETA_1 * first + (1 - BETA_1) * gradient)
            second.assign(BETA_2 * second + (1 - BETA_2) * gradient**2)
            change = (first / bias_correction_1) / (tf.sqrt(second / bias_correction_2) + EPSILON)
            variable.assign_sub(learning_rate.value() * change)


class Muon:
    """Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon) for the hidden layers' weights; else Adam.

    Adam scales the change of each weight by itself. Muon treats a layer as a linear map: it makes all singular values
    of the momentum nearly equal, so that rare directions are learned as fast as common ones. The change is scaled to
    the size of Adam's (Liu et al. 2025, https://arxiv.org/abs/2502.16982, equation 4), so that both can share one
    learning rate.
    """

    def __init__(self, variables: Variables) -> None:
        self.hidden = {name: variables[name] for name in ("weights/h1", "weights/h2")}
        self.adam = Adam({name: variable for name, variable in variables.items() if name not in self.hidden})
        self.momenta = {name: tf.Variable(tf.zeros_like(variable)) for name, variable in self.hidden.items()}
        self.first_moments = {**self.adam.first_moments, **self.momenta}
        self.second_moments = self.adam.second_moments

    def update(self, gradients: Gradients, step: tf.Tensor, learning_rate: LearningRate) -> None:
        """Move the variables, in place, by their gradients of step number `step`, float32 () from 0."""
        self.adam.update(gradients, step, learning_rate)
        for name, variable in self.hidden.items():
            gradient, momentum = gradients[name], self.momenta[name]
            momentum.assign(MOMENTUM * momentum + (1 - MOMENTUM) * gradient)
            nesterov = MOMENTUM * momentum + (1 - MOMENTUM) * gradient
            scale = ADAM_SIZE * math.sqrt(max(variable.shape))
            variable.assign_sub(learning_rate.value(times=scale) * orthogonalized(nesterov))


def orthogonalized(matrix: tf.Tensor) -> tf.Tensor:
    """Return a matrix with the same singular vectors and with singular values of 0.7 to 1.2, except for tiny ones.

    Five Newton-Schulz iterations with Muon's coefficients map each singular value s to a s + b s^3 + c s^5. Each
    multiplies the matrix by a polynomial of its square. These polynomials commute, so they are multiplied with each
    other first: they are square matrices of the shorter side.
    """
    matrix /= tf.norm(matrix) + 1e-7
    rows, columns = matrix.shape
    square = tf.matmul(matrix, matrix, transpose_a=rows > columns, transpose_b=rows <= columns)
    a, b, c = NEWTON_SCHULZ
    factors = []
    for _ in range(5):
        factor = a * tf.eye(min(rows, columns)) + b * square + c * square @ square
        factors.append(factor)
        square = factor @ square @ factor
    product = functools.reduce(lambda product, factor: factor @ product, factors)
    return matrix @ product if rows > columns else product @ matrix


def decay_weights(weights: Variables, rate: tf.Tensor) -> None:
    """Subtract a share of each weight, in place: decoupled weight decay, not applied to the biases.

    Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101.
    """
    for weight in weights.values():
        weight.assign_sub(rate * weight)


def update_averages(averages: Variables, variables: Variables, step: tf.Tensor, decay: float) -> None:
    """Move each average towards its variable, in place: an exponential moving average, faster in the first steps.

    Polyak and Juditsky 1992; the ramp (1 + step) / (10 + step) is that of TensorFlow 1's ExponentialMovingAverage.
    """
    decay_now = tf.minimum(decay, (1 + step) / (10 + step))
    for name, average in averages.items():
        average.assign(decay_now * average + (1 - decay_now) * variables[name])
