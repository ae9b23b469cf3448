"""Corruption of digit images: lines, bands, blots, noise, salt and pepper, low contrast, a gray background, blur.

The kinds follow Mu and Gilmer 2019, "MNIST-C: a robustness benchmark for computer vision"
(https://arxiv.org/abs/1906.02337).
"""

import math

import numpy as np
import tensorflow as tf

from inkling.digit import SIDE

NUM_CHOICES = 9
"""Random choices per image: its kind of corruption, and eight that the kinds use for place, size and strength."""

CENTER = (SIDE - 1) / 2
Y, X = (axis.reshape(1, -1) - CENTER for axis in np.mgrid[:SIDE, :SIDE].astype(np.float32))
"""Rows and columns of the pixels, each (1, 784), in pixels from the center."""
LINE_BASIS = np.concatenate([X, Y, np.ones_like(X)])  # (3, 784)

_SMEAR = (4 * np.eye(SIDE) + np.eye(SIDE, k=1) + np.eye(SIDE, k=-1)) / 6
BLUR = (_SMEAR @ _SMEAR).astype(np.float32)
"""(28, 28): averages each pixel with its two neighbors, twice. Applied as a matrix product, because XLA would compute
the image again for every neighbor."""


def corrupt(x: tf.Tensor, choices: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
    """Return images (n, 784), each with one kind of corruption.

    Args:
        x: flattened images, float32 (n, 784), 0 background to 1 foreground.
        choices: random numbers that choose the kind and its parameters, (n, 9), 0 to 1.
        noise: two random numbers per pixel, (n, 2, 784), 0 to 1.
    """
    kind = tf.cast(tf.floor(choices[:, 0:1] * 8), tf.int32)  # (n, 1)
    unit = choices[:, 1:]  # (n, 8)
    has_line, has_bands, has_blots, is_noisy, is_salted, is_pale, is_lifted, is_blurred = (
        tf.cast(kind == number, tf.float32) for number in range(8)
    )
    x = tf.maximum(x, has_line * _line(unit))
    x += has_bands * _bands(unit) * (1 - 2 * x)  # inverts the pixels inside a band
    x = tf.maximum(x, has_blots * tf.maximum(_blot(unit[:, 0:2], unit[:, 4:5]), _blot(unit[:, 2:4], unit[:, 4:5])))
    x += is_noisy * 1.2 * unit[:, 5:6] * (noise[:, 0] + noise[:, 1] - 1)  # triangular, standard deviation up to 0.49
    salted = is_salted * 0.12 * unit[:, 5:6]
    x = tf.where(noise[:, 0] < salted, 1.0, tf.where(noise[:, 0] > 1 - salted, 0.0, x))
    x = x * (1 - 0.85 * is_pale * unit[:, 6:7]) + 0.5 * is_lifted * unit[:, 7:8]
    x = tf.clip_by_value(x, 0.0, 1.0)
    return x + is_blurred * (_blur(x) - x)


def _line(unit: tf.Tensor) -> tf.Tensor:
    """Return a straight line (n, 784) in any direction, 1 to 3 pixels wide, of brightness 0.5 to 1."""
    angle = unit[:, 0:1] * math.pi
    offset = 9 * (2 * unit[:, 1:2] - 1)
    distance = tf.concat([tf.cos(angle), tf.sin(angle), -offset], 1) @ LINE_BASIS  # (n, 784)
    return tf.clip_by_value(0.8 + 0.8 * unit[:, 2:3] - tf.abs(distance), 0.0, 1.0) * (0.5 + 0.5 * unit[:, 3:4])


def _bands(unit: tf.Tensor) -> tf.Tensor:
    """Return a mask (n, 784) of bands, 0 to 10 pixels wide, along two opposite edges.

    The mask is 1 inside the bands for half of the images and less than 1 for the others; it is 0 outside.
    """
    position = tf.where(unit[:, 0:1] < 0.5, X, Y)
    is_band = (position < 10 * unit[:, 1:2] - 14) | (position > 14 - 10 * unit[:, 2:3])
    return tf.cast(is_band, tf.float32) * tf.where(unit[:, 3:4] < 0.5, 1.0, unit[:, 4:5])


def _blot(center: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Return a disk (n, 784) with a radius of 0.5 to 2.5 pixels; `center` (n, 2) and `size` (n, 1) are 0 to 1."""
    x, y = 13 * (2 * center[:, 0:1] - 1), 13 * (2 * center[:, 1:2] - 1)
    return tf.clip_by_value(1 + 2 * size - tf.sqrt((X - x) ** 2 + (Y - y) ** 2), 0.0, 1.0)


def _blur(x: tf.Tensor) -> tf.Tensor:
    """Return images (n, 784) blurred, nearly as by a Gaussian with a standard deviation of 0.8 pixels."""
    return tf.reshape(BLUR @ tf.reshape(x, [-1, SIDE, SIDE]) @ BLUR, x.shape)
