"""Random changes of digit images, fresh for every image of every batch: distortions that a hand makes, and damage.

Distortions after Simard, Steinkraus and Platt 2003, "Best practices for convolutional neural networks applied to visual
document analysis"; the kinds of damage after Mu and Gilmer 2019, "MNIST-C" (https://arxiv.org/abs/1906.02337).
"""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from inkling.digit import SIDE
from inkling.network.recipe import Recipe

CHOICES = 16
"""Choices that are made for an image: 7 on its distortion, 9 on its damage."""

FRESH_ROWS = 8
"""Rows of heights and of noise that each step adds to those of the step before."""

SETTLED = 0.5
"""Strength to which distortions fade. Fading to none, a long training learns the images by heart."""

CENTER = (SIDE - 1) / 2
SMOOTHNESS = 4.0
"""Standard deviation of the Gaussian that an elastic distortion is smoothed with, pixels: Simard's sigma."""


def _basis() -> NDArray[np.float32]:
    """Return the fields (103, 784) whose sums are all distortions: x, y, 1, and a Gaussian bump at each of 10x10 nodes.

    White noise smoothed by a Gaussian is as good as that Gaussian at nodes one standard deviation apart with random
    heights, and needs a tenth of the random numbers. The bumps are scaled so that heights of variance 1 give a
    displacement of variance 1 everywhere.
    """
    pixels = np.arange(SIDE)
    nodes = np.arange(-SMOOTHNESS, SIDE + SMOOTHNESS + 1, SMOOTHNESS)
    bumps = np.exp(-0.5 * ((pixels[:, None] - nodes) / SMOOTHNESS) ** 2)  # (28, 10)
    bumps /= np.sqrt((bumps**2).sum(axis=1, keepdims=True))
    y, x = (axis.ravel() - CENTER for axis in np.mgrid[:SIDE, :SIDE])
    return np.stack([x, y, np.ones_like(x), *np.kron(bumps, bumps).T]).astype(np.float32)


BASIS = _basis()
X, Y = BASIS[0:1], BASIS[1:2]  # (1, 784), pixels from the center


_SMEAR = (4 * np.eye(SIDE) + np.eye(SIDE, k=1) + np.eye(SIDE, k=-1)) / 6
BLUR = (_SMEAR @ _SMEAR).astype(np.float32)
"""(28, 28): each pixel shared with its two neighbors, twice. As a product, because XLA would work out the image that
it blurs anew for each neighbor."""


class Numbers(NamedTuple):
    """Random numbers for the images of many steps, drawn before the first of them."""

    choices: tf.Tensor
    """What is done to each image, (steps, batch, CHOICES), 0 to 1."""
    heights: tf.Tensor
    """Of the bumps that bend an image, standard normal, (rows, 2, 100)."""
    noise: tf.Tensor
    """For the pixels of damaged images, (rows, 2, 784), 0 to 1."""

    def of_step(self, i: tf.Tensor, corrupted: int) -> "Numbers":
        """Return those of step `i`: choices (batch, CHOICES), heights (batch, 2, 100), noise (corrupted, 2, 784)."""
        choices = self.choices[i]

        def rows(numbers: tf.Tensor, count: int) -> tf.Tensor:
            return tf.slice(numbers, [FRESH_ROWS * i, 0, 0], [count, *numbers.shape[1:]])

        return Numbers(choices, rows(self.heights, choices.shape[0]), rows(self.noise, corrupted))


def draw(steps: int, batch_size: int, seed: tf.Tensor) -> Numbers:
    """Return the numbers that `augment` takes for the images of many steps.

    Drawn before the loop over the steps, because XLA would fuse a draw in the loop with every use of it, and draw the
    same number again for every pixel. Philox, because XLA's default takes seven times as long on a CPU.

    Choices are drawn for each image. Bends and noise, hundreds of numbers an image, are shared: a step takes
    FRESH_ROWS rows that no step before it had, and the others from its predecessors, for other images.
    """
    rows = FRESH_ROWS * steps + batch_size
    return Numbers(
        choices=tf.random.stateless_uniform([steps, batch_size, CHOICES], tf.add(seed, [0, 2]), alg="philox"),
        heights=tf.random.stateless_normal([rows, 2, len(BASIS) - 3], seed, alg="philox"),
        noise=tf.random.stateless_uniform([rows, 2, SIDE * SIDE], tf.add(seed, [0, 1]), alg="philox"),
    )


def strength_at(step: tf.Tensor, recipe: Recipe) -> tf.Tensor:
    """Return the strength of the distortions, SETTLED to 1, of step number `step`, float32 () from 0.

    The network learns from strong distortions, and settles on weaker ones while the step size falls; docs/trials.md.
    """
    if not recipe.anneal_fraction:
        return tf.constant(1.0)
    left = (recipe.training_steps - step) / (recipe.anneal_fraction * recipe.training_steps)
    return SETTLED + (1 - SETTLED) * tf.minimum(1.0, left)


def augment(x: tf.Tensor, numbers: Numbers, strength: tf.Tensor, recipe: Recipe) -> tf.Tensor:
    """Return changed images, float32 (batch, 784), as a recipe asks for.

    Args:
        x: flattened images, float32 (batch, 784), 0 ground to 1 ink.
        numbers: those of one step.
        strength: of the distortions, 0 to 1, ().
        recipe: how much of each change.
    """
    u = (2 * numbers.choices[:, :7] - 1) * strength
    x = distort(x, u, numbers.heights * recipe.elastic * strength, recipe)
    if recipe.thickness:
        x = thicken(x, u[:, 6:7] * recipe.thickness)
    if damaged := numbers.noise.shape[0]:
        x = tf.concat([damage(x[:damaged], numbers.choices[:damaged, 7:], numbers.noise), x[damaged:]], 0)
    return x


def distort(x: tf.Tensor, u: tf.Tensor, heights: tf.Tensor, recipe: Recipe) -> tf.Tensor:
    """Return images (batch, 784) turned, stretched, slanted, moved and bent: each pixel is read from somewhere near it.

    Where from is linear in these parameters, so that one matrix product finds it for all pixels.

    Args:
        x: flattened images, float32 (batch, 784), 0 ground to 1 ink.
        u: how far each image is changed, (batch, 6 or more), -1 to 1 of the most that the recipe allows.
        heights: of the bumps that bend it, (batch, 2, 100), pixels to the right and down.
        recipe: the most of each change.
    """
    batch = x.shape[0]
    angle = u[:, 0] * (recipe.rotation * math.pi / 180)
    stretch_x, stretch_y = tf.exp(u[:, 1] * recipe.scale), tf.exp(u[:, 2] * recipe.scale)
    slant = u[:, 3] * recipe.shear
    cos, sin = tf.cos(angle), tf.sin(angle)
    affine_x = tf.stack([cos * stretch_x, (slant * cos - sin) * stretch_x, u[:, 4] * recipe.shift + CENTER], 1)
    affine_y = tf.stack([sin * stretch_y, (slant * sin + cos) * stretch_y, u[:, 5] * recipe.shift + CENTER], 1)
    affine = tf.stack([affine_x, affine_y], 1)  # (batch, 2, 3)
    source = tf.reshape(tf.concat([affine, heights], 2), [batch * 2, -1]) @ BASIS  # (batch * 2, 784)
    source = tf.reshape(source, [batch, 2, -1])
    return _bilinear(x, source[:, 0], source[:, 1])


def _bilinear(x: tf.Tensor, column: tf.Tensor, row: tf.Tensor) -> tf.Tensor:
    """Return images (batch, 784) read at fractional columns and rows, each (batch, 784); beyond the edge is ground."""
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


def thicken(x: tf.Tensor, amount: tf.Tensor) -> tf.Tensor:
    """Return images (batch, 784) with strokes dilate on each side by `amount` pixels (batch, 1), or shrunk if below 0.

    Grown by a whole pixel, a stroke is the maximum of each pixel and its four neighbors; shrunk, the minimum.
    """
    above, below, left, right = (tf.reshape(part, x.shape) for part in _neighbors(x))
    dilate = tf.maximum(x, tf.maximum(tf.maximum(above, below), tf.maximum(left, right)))
    shrunk = tf.minimum(x, tf.minimum(tf.minimum(above, below), tf.minimum(left, right)))
    return x + tf.nn.relu(amount) * (dilate - x) - tf.nn.relu(-amount) * (x - shrunk)


def _neighbors(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return the pixels above, below, left and right of each, (batch, 28, 28) each."""
    p = tf.pad(tf.reshape(x, [-1, SIDE, SIDE]), [[0, 0], [1, 1], [1, 1]])
    return p[:, :-2, 1:-1], p[:, 2:, 1:-1], p[:, 1:-1, :-2], p[:, 1:-1, 2:]


def damage(x: tf.Tensor, choices: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
    """Return images (n, 784), each with one kind of damage.

    Args:
        x: flattened images, float32 (n, 784), 0 ground to 1 ink.
        choices: on its kind and its strength, (n, 9), 0 to 1.
        noise: two numbers for each pixel, (n, 2, 784), 0 to 1.
    """
    kind = tf.cast(tf.floor(choices[:, 0:1] * 8), tf.int32)  # (n, 1)
    u = choices[:, 1:]
    has_line, has_bands, has_blots, is_noisy, is_salted, is_pale, is_lifted, is_blurred = (
        tf.cast(kind == number, tf.float32) for number in range(8)
    )
    x = tf.maximum(x, has_line * _line(u))
    x += has_bands * _bands(u) * (1 - 2 * x)  # light becomes dark, and dark light
    x = tf.maximum(x, has_blots * tf.maximum(_blot(u[:, 0:2], u[:, 4:5]), _blot(u[:, 2:4], u[:, 4:5])))
    x += is_noisy * 1.2 * u[:, 5:6] * (noise[:, 0] + noise[:, 1] - 1)  # triangular: standard deviation to 0.49
    salted = is_salted * 0.12 * u[:, 5:6]
    x = tf.where(noise[:, 0] < salted, 1.0, tf.where(noise[:, 0] > 1 - salted, 0.0, x))
    x = x * (1 - 0.85 * is_pale * u[:, 6:7]) + 0.5 * is_lifted * u[:, 7:8]
    x = tf.clip_by_value(x, 0.0, 1.0)
    return x + is_blurred * (_blur(x) - x)


def _line(u: tf.Tensor) -> tf.Tensor:
    """Return a straight line (n, 784) in any direction, 1 to 3 pixels wide, 0.5 to 1 bright."""
    angle = u[:, 0:1] * math.pi
    offset = 9 * (2 * u[:, 1:2] - 1)
    distance = tf.concat([tf.cos(angle), tf.sin(angle), -offset], 1) @ BASIS[:3]  # (n, 784)
    return tf.clip_by_value(0.8 + 0.8 * u[:, 2:3] - tf.abs(distance), 0.0, 1.0) * (0.5 + 0.5 * u[:, 3:4])


def _bands(u: tf.Tensor) -> tf.Tensor:
    """Return 1, or less in half of them, in bands (n, 784) of 0 to 10 pixels along two opposite edges; else 0."""
    position = tf.where(u[:, 0:1] < 0.5, X, Y)
    is_band = (position < 10 * u[:, 1:2] - 14) | (position > 14 - 10 * u[:, 2:3])
    return tf.cast(is_band, tf.float32) * tf.where(u[:, 3:4] < 0.5, 1.0, u[:, 4:5])


def _blot(center: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Return a disk (n, 784) about `center` (n, 2), 0 to 1 of the picture, with a radius of 0.5 to 2.5 pixels."""
    x, y = 13 * (2 * center[:, 0:1] - 1), 13 * (2 * center[:, 1:2] - 1)
    return tf.clip_by_value(1 + 2 * size - tf.sqrt((X - x) ** 2 + (Y - y) ** 2), 0.0, 1.0)


def _blur(x: tf.Tensor) -> tf.Tensor:
    """Return images (n, 784) blurred, as by a Gaussian with a standard deviation of 0.8 pixels."""
    return tf.reshape(BLUR @ tf.reshape(x, [-1, SIDE, SIDE]) @ BLUR, x.shape)
