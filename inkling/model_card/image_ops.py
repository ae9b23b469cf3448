"""Arithmetic on stacks of small pictures, float32 (n, h, w), 0 background to 1 foreground, for the corruptions."""

import numpy as np
from numpy.typing import NDArray

from inkling.digit import SIDE, Floats, Gray


def to_floats(images: Gray) -> Floats:
    return images.astype(np.float32) / np.float32(255)


def to_bytes(pictures: NDArray[np.floating]) -> Gray:
    rounded: Gray = np.rint(np.clip(pictures, 0, 1) * np.float32(255)).astype(np.uint8)
    return rounded


def per_picture(values: NDArray[np.floating]) -> Floats:
    """Return values (n,) as (n, 1, 1), to apply one value per picture."""
    return np.asarray(values, np.float32)[:, np.newaxis, np.newaxis]


def convolve(pictures: Floats, kernels: Floats) -> Floats:
    """Return pictures (n, h, w), each convolved with its own kernel (n, k, k), k odd, zero-padded."""
    _, height, width = pictures.shape
    radius = kernels.shape[1] // 2
    padded = np.pad(pictures, ((0, 0), (radius, radius), (radius, radius)))
    total = np.zeros_like(pictures)
    for i, j in np.ndindex(kernels.shape[1:]):
        if (taps := kernels[:, i, j]).any():
            total += per_picture(taps) * padded[:, i : i + height, j : j + width]
    return total


def blur(pictures: Floats, sigmas: NDArray[np.floating]) -> Floats:
    """Return pictures (n, h, w), each blurred by a Gaussian of its standard deviation (n,), in pixels."""
    radius = int(np.ceil(3 * np.max(sigmas)))
    offsets = np.arange(-radius, radius + 1)
    row = np.exp(-0.5 * (offsets / np.asarray(sigmas)[:, np.newaxis]) ** 2)  # (n, k)
    kernels = row[:, :, np.newaxis] * row[:, np.newaxis, :]  # (n, k, k)
    return convolve(pictures, (kernels / kernels.sum(axis=(1, 2), keepdims=True)).astype(np.float32))


def warp(pictures: Floats, matrices: NDArray[np.floating]) -> Floats:
    """Return pictures (n, h, w), each under its linear map (n, 2, 2) about the center: bilinear, zero-padded.

    A map takes (x, y) of a pixel in the result to its source in the picture, as in Pillow's `Image.transform`.
    """
    count, height, width = pictures.shape
    y, x = np.indices((height, width)).reshape(2, -1)  # (h * w,)
    center = np.array([[(width - 1) / 2], [(height - 1) / 2]])
    source = matrices @ (np.stack([x, y]) - center) + center + 1  # (n, 2, h * w), in padded pictures
    source = np.clip(source, 0, np.array([[width + 0.999], [height + 0.999]])).astype(np.float32)
    whole = source.astype(np.intp)
    part = source - whole
    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1))).reshape(count, -1)
    corner = whole[:, 1] * (width + 2) + whole[:, 0]  # (n, h * w)
    total = np.zeros((count, height * width), np.float32)
    for dy, dx in np.ndindex(2, 2):
        weight = (part[:, 1] if dy else 1 - part[:, 1]) * (part[:, 0] if dx else 1 - part[:, 0])
        total += weight * np.take_along_axis(padded, corner + dy * (width + 2) + dx, axis=1)
    return total.reshape(pictures.shape)


def max_filter(pictures: Floats, radius: int) -> Floats:
    """Return the maximum over a square window of 2 * radius + 1 pixels around each pixel."""
    _, height, width = pictures.shape
    padded = np.pad(pictures, ((0, 0), (radius, radius), (radius, radius)))
    columns = np.max([padded[:, i : i + height] for i in range(2 * radius + 1)], axis=0)
    rows: Floats = np.max([columns[:, :, j : j + width] for j in range(2 * radius + 1)], axis=0)
    return rows


def smooth_noise(random: np.random.Generator, count: int, cells: int, side: int = SIDE) -> Floats:
    """Return pictures (count, side, side) of values 0 to 1 interpolated between `cells` by `cells` random ones."""
    knots = random.random((count, cells + 1, cells + 1), np.float32)
    position = np.linspace(0, cells, side, endpoint=False, dtype=np.float32)
    cell = position.astype(np.intp)
    part = position - cell
    part = part * part * (3 - 2 * part)  # smoothstep: no creases at the knots
    rows = knots[:, cell] * (1 - part[:, np.newaxis]) + knots[:, cell + 1] * part[:, np.newaxis]  # (n, side, cells + 1)
    noise: Floats = rows[:, :, cell] * (1 - part) + rows[:, :, cell + 1] * part
    return noise


def distance_to_segment(
    starts: NDArray[np.floating], ends: NDArray[np.floating], side: int = SIDE
) -> tuple[Floats, Floats]:
    """Return, for every pixel, the position of the nearest point along a segment and the distance to it, in pixels.

    Args:
        starts: (x, y) of the segment's start in each picture, (n, 2).
        ends: (x, y) of its end, (n, 2).
        side: of the pictures; both results are (n, side, side).
    """
    y, x = np.indices((side, side), np.float32)
    direction = ends - starts
    length = np.maximum(np.hypot(direction[:, 0], direction[:, 1]), 1e-6)
    unit_x, unit_y = per_picture(direction[:, 0] / length), per_picture(direction[:, 1] / length)
    dx, dy = x - per_picture(starts[:, 0]), y - per_picture(starts[:, 1])
    along = np.clip(dx * unit_x + dy * unit_y, 0, per_picture(length))
    return along, np.hypot(dx - along * unit_x, dy - along * unit_y)


def coverage_within(distance: Floats, radius: NDArray[np.floating]) -> Floats:
    """Return 1 where the distance is within `radius` (n,) pixels and 0 elsewhere, anti-aliased over one pixel."""
    coverage: Floats = np.clip(per_picture(radius) + np.float32(0.5) - distance, 0, 1)
    return coverage
