"""MNIST-C's fifteen corruptions: uint8 (n, 28, 28) in, the same out.

The kinds and strengths are those of the published benchmark (Mu and Gilmer 2019, "MNIST-C: A Robustness Benchmark for
Computer Vision", https://arxiv.org/abs/1906.02337); the code is our own, on stacks of images in NumPy alone. The random
numbers differ from the published files, so figures compare with published ones as a second sample would.
"""

import zlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from inkling.digit import SIDE, Floats, Images, Mask
from inkling.model_card.image_ops import max_filter, per_picture, to_bytes, to_floats, warp

Corruption = Callable[[Images, np.random.Generator], Images]


def mnist_c(name: str, images: Images, seed: int = 0) -> Images:
    """Return images (n, 28, 28) under the corruption of that name; the same seed gives the same result."""
    return MNIST_C[name](images, np.random.default_rng([seed, zlib.crc32(name.encode())]))


def _shot_noise(images: Images, random: np.random.Generator) -> Images:
    """Poisson noise of 3 photons where a pixel is 1."""
    return to_bytes(random.poisson(to_floats(images) * 3) / 3)


def _impulse_noise(images: Images, random: np.random.Generator) -> Images:
    """A share of 0.17 of the pixels set to 0 or 1."""
    is_hit, is_white = random.random(images.shape) < 0.17, random.random(images.shape) < 0.5
    hit: Images = np.where(is_hit, np.where(is_white, np.uint8(255), np.uint8(0)), images)
    return hit


def _glass_blur(images: Images, random: np.random.Generator) -> Images:
    """Every second pixel swapped with a neighbor, twice, between Gaussian blurs of 0.7 pixels."""
    pictures: Floats = np.floor(_gaussian(to_floats(images), 0.7) * np.float32(255))
    every = np.arange(len(images))
    for _ in range(2):
        for y in range(SIDE - 1, 1, -1):
            for x in range(SIDE - 1, 1, -1):
                moved = every[random.random(len(images)) < 0.5]
                dx, dy = random.integers(-1, 1, (2, len(moved)))
                here, there = pictures[moved, y, x], pictures[moved, y + dy, x + dx]
                pictures[moved, y, x], pictures[moved, y + dy, x + dx] = there, here
    return to_bytes(_gaussian(pictures / np.float32(255), 0.7))


def _motion_blur(images: Images, random: np.random.Generator) -> Images:
    """Smear along one direction, by half a Gaussian of 3 pixels over 21, at -45 to 45 degrees to the horizontal."""
    weights = np.exp(-0.5 * (np.arange(21) / 3) ** 2)
    weights /= weights.sum()
    angle = np.deg2rad(random.uniform(-45, 45, len(images)))
    rows, columns = np.indices((SIDE, SIDE))
    pictures, every = to_floats(images), np.arange(len(images))[:, np.newaxis, np.newaxis]
    total = np.zeros_like(pictures)
    for i, weight in enumerate(weights):
        dy, dx = (np.rint(i * along).astype(int)[:, np.newaxis, np.newaxis] for along in (np.sin(angle), np.cos(angle)))
        total += weight * pictures[every, np.clip(rows + dy, 0, SIDE - 1), np.clip(columns + dx, 0, SIDE - 1)]
    return to_bytes(total)


def _shear(images: Images, random: np.random.Generator) -> Images:
    """A horizontal shear by an angle of 0.4 radians, in either direction."""
    angle = 0.4 * _signs(random, len(images))
    return _warped(images, np.ones(len(images)), -np.sin(angle), np.zeros(len(images)), np.cos(angle))


def _scale(images: Images, random: np.random.Generator) -> Images:
    """Shrunk to 0.7 about the center."""
    grown, none = np.full(len(images), 1 / 0.7), np.zeros(len(images))
    return _warped(images, grown, none, none, grown)


def _rotate(images: Images, random: np.random.Generator) -> Images:
    """Turned by 0.4 radians, in either direction."""
    angle = 0.4 * _signs(random, len(images))
    return _warped(images, np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle))


def _brightness(images: Images, random: np.random.Generator) -> Images:
    """0.5 added to every pixel."""
    return to_bytes(to_floats(images) + np.float32(0.5))


def _translate(images: Images, random: np.random.Generator) -> Images:
    """Shifted by 3 pixels on both axes, each in either direction."""
    padded = np.pad(images, ((0, 0), (3, 3), (3, 3)))
    top, left = 3 * (_signs(random, 2 * len(images)).reshape(2, -1, 1, 1).astype(int) + 1)
    place = np.arange(SIDE)
    moved: Images = padded[np.arange(len(images))[:, np.newaxis, np.newaxis], top + place[:, np.newaxis], left + place]
    return moved


def _stripe(images: Images, random: np.random.Generator) -> Images:
    """The left and the right seven columns inverted."""
    striped = images.copy()
    for columns in (slice(0, 7), slice(21, SIDE)):
        striped[:, :, columns] = 255 - striped[:, :, columns]
    return striped


def _fog(images: Images, random: np.random.Generator) -> Images:
    """Three parts of a fractal of roughness 1.4, the corner of one of 256x256, over one part of the image."""
    fog = np.stack([_plasma(random, 256, 1.4)[:SIDE, :SIDE] for _ in range(len(images))])
    brightest = per_picture(to_floats(images).max(axis=(1, 2)))
    return to_bytes((to_floats(images) + 3 * fog) * brightest / (brightest + 3))


def _spatter(images: Images, random: np.random.Generator) -> Images:
    """Dark gray drops that cover the strokes."""
    liquid = _gaussian(random.normal(0.65, 0.3, images.shape).astype(np.float32), 1.0)
    drops = _gaussian((liquid > 0.65).astype(np.float32), 1.5)
    drops[drops < 0.8] = 0
    return to_bytes(to_floats(images) * (1 - drops) + np.float32(63 / 255) * drops)


def _dotted_line(images: Images, random: np.random.Generator) -> Images:
    """A line from the left to the right edge, two columns of every four."""
    starts, ends = random.integers(0, 27, (2, len(images))).astype(np.float64)
    line = _line(np.zeros(len(images)), starts, np.full(len(images), 27.0), ends)
    line[:, :, np.arange(SIDE) % 4 < 2] = 0
    return to_bytes(to_floats(images) + line)


def _zigzag(images: Images, random: np.random.Generator) -> Images:
    """A zigzag of width 2 and length 2 around a line from column 2 to 25, up to 5 rows up or down."""
    starts = random.integers(0, 27, len(images)).astype(np.float64)
    ends = starts + random.integers(-5, 5, len(images))
    pictures = to_floats(images)
    for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
        columns, rows = _zigzag_points(start, end)
        lines = _line(columns[:-1], rows[:-1], columns[1:], rows[1:])
        pictures[i] = np.clip(pictures[i] + lines.sum(axis=0), 0, 1)
    return to_bytes(pictures)


def _zigzag_points(start: float, end: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return columns and rows of the corners of a zigzag from (2, start) to (25, end)."""
    theta = np.arctan((end - start) / 23)
    length = 23 / np.cos(theta)
    corners = int((length - 2) // 4) + 1
    along = np.concatenate([[0], 4 * np.arange(corners) + 2, [length]])
    beside = np.concatenate([[0], 2.0 * (-1) ** np.arange(corners), [0]])
    beside[-1] = beside[-2] / (2 * max(0.5, length - 4 * (length // 4)))
    cosine, sine = np.cos(theta), np.sin(theta)
    return along * cosine - beside * sine + 2, along * sine + beside * cosine + start


def _canny_edges(images: Images, random: np.random.Generator) -> Images:
    """Canny's edges (1986): Gaussian of 1 pixel, Sobel, thinned, 0.1 where connected to 0.2."""
    smooth = np.pad(_gaussian(to_floats(images), 1.0, mode="constant"), ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = smooth[:, :-2] + 2 * smooth[:, 1:-1] + smooth[:, 2:]
    columns = smooth[:, :, :-2] + 2 * smooth[:, :, 1:-1] + smooth[:, :, 2:]
    dx, dy = rows[:, :, 2:] - rows[:, :, :-2], columns[:, 2:] - columns[:, :-2]
    magnitude = np.hypot(dx, dy)
    magnitude[:, [0, -1]] = 0
    magnitude[:, :, [0, -1]] = 0
    is_edge = _is_ridge(magnitude, dx, dy) & (magnitude >= 0.1)
    connected = is_edge & (magnitude >= 0.2)
    while True:
        grown = is_edge & (max_filter(connected.astype(np.float32), 1) > 0)
        if (grown == connected).all():
            return connected.astype(np.uint8) * np.uint8(255)
        connected = grown


def _is_ridge(magnitude: Floats, dx: Floats, dy: Floats) -> Mask:
    """Return whether no neighbor along the gradient, interpolated between two pixels, is larger."""
    every = np.arange(len(magnitude))[:, np.newaxis, np.newaxis]
    padded = np.pad(magnitude, ((0, 0), (1, 1), (1, 1)))
    y, x = np.indices(magnitude.shape[1:]) + 1
    largest = np.maximum(np.maximum(np.abs(dx), np.abs(dy)), 1e-9)
    step_x, step_y = dx / largest, dy / largest  # one of them is 1 or -1
    is_ridge = magnitude > 0
    for sign in (1, -1):
        straight_x, straight_y = (sign * np.trunc(step).astype(int) for step in (step_x, step_y))
        slant_x, slant_y = (sign * np.sign(step).astype(int) for step in (step_x, step_y))
        part = np.minimum(np.abs(step_x), np.abs(step_y))
        straight = padded[every, y + straight_y, x + straight_x]
        slanted = padded[every, y + slant_y, x + slant_x]
        is_ridge &= straight * (1 - part) + slanted * part <= magnitude
    return is_ridge


MNIST_C: dict[str, Corruption] = {
    "shot noise": _shot_noise,
    "impulse noise": _impulse_noise,
    "glass blur": _glass_blur,
    "motion blur": _motion_blur,
    "shear": _shear,
    "scale": _scale,
    "rotate": _rotate,
    "brightness": _brightness,
    "translate": _translate,
    "stripe": _stripe,
    "fog": _fog,
    "spatter": _spatter,
    "dotted line": _dotted_line,
    "zigzag": _zigzag,
    "canny edges": _canny_edges,
}
"""Every corruption by its published name, in the published order."""


def _signs(random: np.random.Generator, count: int) -> NDArray[np.int64]:
    """Return -1 or 1, (count,)."""
    signs: NDArray[np.int64] = random.integers(0, 2, count) * 2 - 1
    return signs


def _warped(images: Images, *entries: NDArray[np.floating]) -> Images:
    """Return images under linear maps about their center; `entries` are xx, xy, yx and yy, each (n,)."""
    return to_bytes(warp(to_floats(images), np.stack(entries, axis=1).reshape(-1, 2, 2)))


def _gaussian(pictures: Floats, sigma: float, mode: str = "edge") -> Floats:
    """Return pictures (n, h, w) blurred by a Gaussian that is cut at four standard deviations."""
    radius = int(4 * sigma + 0.5)
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    taps = (taps / taps.sum()).astype(np.float32)
    side = pictures.shape[1]
    padded = np.pad(pictures, ((0, 0), (radius, radius), (radius, radius)), mode=mode)  # type: ignore[call-overload]
    rows = np.sum([tap * padded[:, i : i + side] for i, tap in enumerate(taps)], axis=0)
    blurred: Floats = np.sum([tap * rows[:, :, i : i + side] for i, tap in enumerate(taps)], axis=0)
    return blurred


def _line(c0: NDArray[np.float64], r0: NDArray[np.float64], c1: NDArray[np.float64], r1: NDArray[np.float64]) -> Floats:
    """Return lines (n, 28, 28) from (c0, r0) to (c1, r1), fading as 1 + log(1 - d / 2.3), d the rows from the line."""
    rows, columns = np.indices((SIDE, SIDE), np.float64)
    slope = _per_picture((r1 - r0) / (c1 - c0))
    distance = np.abs(rows - slope * (columns - _per_picture(c0)) - _per_picture(r0))
    line = np.clip(np.log1p(-np.minimum(distance, 2.3 - 1e-10) / 2.3) + 1, 0, 1)
    line[(columns < np.floor(_per_picture(c0))) | (columns >= np.ceil(_per_picture(c1)))] = 0
    faded: Floats = line.astype(np.float32)
    return faded


def _per_picture(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[:, np.newaxis, np.newaxis]


def _plasma(random: np.random.Generator, side: int, decay: float) -> NDArray[np.float64]:
    """Return a height map (side, side) from 0 to 1 by diamond-square (Fournier, Fussell and Carpenter 1982).

    It wraps around. Each midpoint is the mean of four neighbors and a uniform number, whose span shrinks by `decay`
    with each halving of the step.
    """
    heights = np.zeros((side, side))
    step, span = side, 100.0
    while step >= 2:
        half = step // 2
        corners = heights[::step, ::step]
        around = corners + np.roll(corners, -1, axis=0)
        around = around + np.roll(around, -1, axis=1)
        heights[half::step, half::step] = _jittered(around, span, random)
        centers = heights[half::step, half::step]
        beside = centers + np.roll(centers, 1, axis=0) + corners + np.roll(corners, -1, axis=1)
        heights[::step, half::step] = _jittered(beside, span, random)
        above = centers + np.roll(centers, 1, axis=1) + corners + np.roll(corners, -1, axis=0)
        heights[half::step, ::step] = _jittered(above, span, random)
        step, span = half, span / decay
    heights -= heights.min()
    plasma: NDArray[np.float64] = heights / heights.max()
    return plasma


def _jittered(sums: NDArray[np.float64], span: float, random: np.random.Generator) -> NDArray[np.float64]:
    """Return the means of sums of four, plus a number from -span² to span²."""
    jittered: NDArray[np.float64] = sums / 4 + span * random.uniform(-span, span, sums.shape)
    return jittered
