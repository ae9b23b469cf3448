"""Random changes of digit images, new for every image of every batch: distortions, stroke thickness and corruption.

The distortions follow Simard, Steinkraus and Platt 2003, "Best practices for convolutional neural networks applied to
visual document analysis".
"""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from inkling.digit import SIDE
from inkling.network.recipe import Recipe
from training.data import corruption
from training.data.corruption import CENTER, X, Y, corrupt

DISTORTION_CHOICES = 7
"""Random choices per image: rotation, two scales, shear, two shifts, thickness."""
NUM_CHOICES = DISTORTION_CHOICES + corruption.NUM_CHOICES

FRESH_ROWS = 8
"""Rows of displacements and of noise that are new in each step; the other rows are those of the step before."""

FINAL_STRENGTH = 0.5
"""Strength of the distortions after annealing. Annealed to 0, a long training memorizes the images."""

SMOOTHNESS = 4.0
"""Standard deviation of the Gaussian that smooths an elastic distortion, in pixels: Simard's sigma."""


def _basis() -> NDArray[np.float32]:
    """Return the basis fields (103, 784) of all distortions: x, y, 1, and a Gaussian bump at each of 10x10 nodes.

    White noise smoothed by a Gaussian is nearly the same as that Gaussian at nodes one standard deviation apart with
    random displacements, and needs a tenth of the random numbers. The bumps are scaled so that node displacements of
    variance 1 give every pixel a displacement of variance 1.
    """
    pixels = np.arange(SIDE)
    nodes = np.arange(-SMOOTHNESS, SIDE + SMOOTHNESS + 1, SMOOTHNESS)
    bumps = np.exp(-0.5 * ((pixels[:, None] - nodes) / SMOOTHNESS) ** 2)  # (28, 10)
    bumps /= np.sqrt((bumps**2).sum(axis=1, keepdims=True))
    return np.concatenate([X, Y, np.ones_like(X), np.kron(bumps, bumps).T]).astype(np.float32)


BASIS = _basis()


class RandomInputs(NamedTuple):
    """Random numbers for the images of many steps, sampled before the first of these steps."""

    choices: tf.Tensor
    """Choices per image, uniform, (steps, batch, NUM_CHOICES), 0 to 1."""
    displacements: tf.Tensor
    """Displacements of the nodes of the elastic distortion, standard normal, (rows, 2, 100)."""
    noise: tf.Tensor
    """Noise for the pixels of corrupted images, uniform, (rows, 2, 784), 0 to 1."""

    def at_step(self, i: tf.Tensor, corrupted: int) -> "RandomInputs":
        """Return the numbers of step `i`, of which `corrupted` images are corrupted.

        Shapes: choices (batch, NUM_CHOICES), displacements (batch, 2, 100), noise (corrupted, 2, 784).
        """
        choices = self.choices[i]

        def rows(numbers: tf.Tensor, count: int) -> tf.Tensor:
            return tf.slice(numbers, [FRESH_ROWS * i, 0, 0], [count, *numbers.shape[1:]])

        return RandomInputs(choices, rows(self.displacements, choices.shape[0]), rows(self.noise, corrupted))


def sample_inputs(steps: int, batch_size: int, seed: tf.Tensor) -> RandomInputs:
    """Return the random numbers that `augment` needs for the images of many steps; `seed` is int32 (2,).

    They are sampled before the loop over the steps: inside it XLA would fuse the sampling with every use, and sample
    the same number again for every pixel. Philox, because XLA's default generator takes seven times as long on a CPU.

    Each image has choices of its own. Displacements and noise are hundreds of numbers per image, so steps share them:
    a step takes FRESH_ROWS new rows, and the other rows from the step before, for other images.
    """
    rows = FRESH_ROWS * steps + batch_size
    return RandomInputs(
        choices=tf.random.stateless_uniform([steps, batch_size, NUM_CHOICES], tf.add(seed, [0, 2]), alg="philox"),
        displacements=tf.random.stateless_normal([rows, 2, len(BASIS) - 3], seed, alg="philox"),
        noise=tf.random.stateless_uniform([rows, 2, SIDE * SIDE], tf.add(seed, [0, 1]), alg="philox"),
    )


def strength_at(step: tf.Tensor, recipe: Recipe) -> tf.Tensor:
    """Return the strength of the distortions at step `step`, float32 () counted from 0: FINAL_STRENGTH to 1.

    The network learns from strong distortions, and then from weaker ones while the step size falls; see docs/trials.md.
    """
    if not recipe.anneal_fraction:
        return tf.constant(1.0)
    left = (recipe.training_steps - step) / (recipe.anneal_fraction * recipe.training_steps)
    return FINAL_STRENGTH + (1 - FINAL_STRENGTH) * tf.minimum(1.0, left)


def augment(x: tf.Tensor, inputs: RandomInputs, strength: tf.Tensor, recipe: Recipe) -> tf.Tensor:
    """Return randomly changed images, float32 (batch, 784), as the recipe asks.

    Args:
        x: flattened images, float32 (batch, 784), 0 background to 1 foreground.
        inputs: the random numbers of one step.
        strength: strength of the distortions, 0 to 1, ().
        recipe: the limits of each change.
    """
    unit = (2 * inputs.choices[:, :DISTORTION_CHOICES] - 1) * strength
    x = distort(x, unit, inputs.displacements * recipe.elastic * strength, recipe)
    if recipe.thickness:
        x = erode_or_dilate(x, unit[:, 6:7] * recipe.thickness)
    if corrupted := inputs.noise.shape[0]:
        choices = inputs.choices[:corrupted, DISTORTION_CHOICES:]
        x = tf.concat([corrupt(x[:corrupted], choices, inputs.noise), x[corrupted:]], 0)
    return x


def distort(x: tf.Tensor, unit: tf.Tensor, displacements: tf.Tensor, recipe: Recipe) -> tf.Tensor:
    """Return images (batch, 784) rotated, scaled, sheared, shifted and bent: each pixel is read from a place near it.

    The source coordinates are linear in these parameters, so one matrix product gives them for all pixels.

    Args:
        x: flattened images, float32 (batch, 784), 0 background to 1 foreground.
        unit: amount of each change, (batch, 6 or more), -1 to 1 times the recipe's maximum.
        displacements: displacements of the nodes, (batch, 2, 100), in pixels to the right and down.
        recipe: the maximum of each change.
    """
    batch = x.shape[0]
    angle = unit[:, 0] * (recipe.rotation * math.pi / 180)
    scale_x, scale_y = tf.exp(unit[:, 1] * recipe.scale), tf.exp(unit[:, 2] * recipe.scale)
    shear = unit[:, 3] * recipe.shear
    cos, sin = tf.cos(angle), tf.sin(angle)
    affine_x = tf.stack([cos * scale_x, (shear * cos - sin) * scale_x, unit[:, 4] * recipe.shift + CENTER], 1)
    affine_y = tf.stack([sin * scale_y, (shear * sin + cos) * scale_y, unit[:, 5] * recipe.shift + CENTER], 1)
    affine = tf.stack([affine_x, affine_y], 1)  # (batch, 2, 3)
    source = tf.reshape(tf.concat([affine, displacements], 2), [batch * 2, -1]) @ BASIS  # (batch * 2, 784)
    source = tf.reshape(source, [batch, 2, -1])
    return _bilinear(x, source[:, 0], source[:, 1])


def _bilinear(x: tf.Tensor, column: tf.Tensor, row: tf.Tensor) -> tf.Tensor:
    """Return images (batch, 784) read at fractional columns and rows, each (batch, 784); outside is background."""
    batch, side = x.shape[0], SIDE + 2
    padded = tf.reshape(tf.pad(tf.reshape(x, [batch, SIDE, SIDE]), [[0, 0], [1, 1], [1, 1]]), [-1])
    column, row = (tf.clip_by_value(at + 1, 0.0, SIDE + 0.999) for at in (column, row))
    left, top = tf.floor(column), tf.floor(row)
    right_share, bottom_share = column - left, row - top
    index = tf.cast(top * side + left, tf.int32) + tf.range(batch)[:, None] * side * side  # (batch, 784)

    def pixel(offset: int) -> tf.Tensor:
        return tf.gather(padded, index + offset)

    upper = pixel(0) + right_share * (pixel(1) - pixel(0))
    lower = pixel(side) + right_share * (pixel(side + 1) - pixel(side))
    return upper + bottom_share * (lower - upper)


def erode_or_dilate(x: tf.Tensor, amount: tf.Tensor) -> tf.Tensor:
    """Return images (batch, 784) with strokes dilated on each side by `amount` pixels (batch, 1), or eroded if below 0.

    Dilation by a whole pixel takes the maximum of each pixel and its four neighbors, erosion the minimum; fractions
    interpolate.
    """
    above, below, left, right = (tf.reshape(part, x.shape) for part in _neighbors(x))
    dilated = tf.maximum(x, tf.maximum(tf.maximum(above, below), tf.maximum(left, right)))
    eroded = tf.minimum(x, tf.minimum(tf.minimum(above, below), tf.minimum(left, right)))
    return x + tf.nn.relu(amount) * (dilated - x) - tf.nn.relu(-amount) * (x - eroded)


def _neighbors(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return the pixels above, below, left and right of each, (batch, 28, 28) each."""
    p = tf.pad(tf.reshape(x, [-1, SIDE, SIDE]), [[0, 0], [1, 1], [1, 1]])
    return p[:, :-2, 1:-1], p[:, 2:, 1:-1], p[:, 1:-1, :-2], p[:, 1:-1, 2:]
