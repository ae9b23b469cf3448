"""Corruptions that occur in people's pictures but not in MNIST: uint8 (n, 28, 28) in, the same out.

Each image is corrupted independently. The kinds follow MNIST-C (Mu and Gilmer 2019, https://arxiv.org/abs/1906.02337),
and Hendrycks and Dietterich 2019 (https://arxiv.org/abs/1903.12261) before it; the code and the strengths are our own.
A strength is chosen so that a person still reads nearly every digit. Gray levels are shares of the span from
background, 0, to foreground, 1; lengths are in pixels, of 28.
"""

import zlib
from collections.abc import Callable

import numpy as np

from inkling.digit import SIDE, Floats, Images
from inkling.model_card.image_ops import (
    blur,
    convolve,
    coverage_within,
    distance_to_segment,
    max_filter,
    per_picture,
    smooth_noise,
    to_bytes,
    to_floats,
    warp,
)

Corruption = Callable[[Images, np.random.Generator], Images]
CENTER = (SIDE - 1) / 2
SEEDS = {"brightness": 0xF2D07BDA}
"""The seed of a corruption is the CRC-32 of its name. One that was renamed keeps its first seed here, so that it makes
the same pictures as before, and the figures of different cards can be compared."""


def corrupted(name: str, images: Images, seed: int = 0) -> Images:
    """Return images (n, 28, 28) under the corruption of that name; the same seed gives the same result."""
    own_seed = SEEDS.get(name, zlib.crc32(name.encode()))
    return CORRUPTIONS[name](images, np.random.default_rng([seed, own_seed]))


def brighten(images: Images, random: np.random.Generator) -> Images:
    """Add 0.4 to 0.6 to every pixel: the background turns gray, the foreground stays at 1 (MNIST-C's brightness)."""
    return to_bytes(to_floats(images) + _uniform(random, images, 0.4, 0.6))


def lower_contrast(images: Images, random: np.random.Generator) -> Images:
    """Keep 0.25 to 0.45 of every difference from the picture's mean."""
    pictures = to_floats(images)
    mean = per_picture(pictures.mean(axis=(1, 2)))
    return to_bytes(mean + (pictures - mean) * _uniform(random, images, 0.25, 0.45))


def add_fog(images: Images, random: np.random.Generator) -> Images:
    """Blend with a smooth random light background of strength 0.5 to 0.8, a sum of noise on 2, 4 and 8 cells."""
    fog = np.sum([smooth_noise(random, len(images), cells) / cells for cells in (2, 4, 8)], axis=0)
    fog -= fog.min(axis=(1, 2), keepdims=True)
    fog /= fog.max(axis=(1, 2), keepdims=True)
    return to_bytes(1 - (1 - to_floats(images)) * (1 - fog * _uniform(random, images, 0.5, 0.8)))


def add_shot_noise(images: Images, random: np.random.Generator) -> Images:
    """Add Poisson noise, as of a camera that counts 4 to 8 photons where a pixel is 1, and 0.5 in the dark."""
    photons = _uniform(random, images, 4, 8)
    counts = random.poisson(to_floats(images) * photons + np.float32(0.5)).astype(np.float32)
    return to_bytes(counts / photons)


def add_salt_and_pepper(images: Images, random: np.random.Generator) -> Images:
    """Set a share of 0.1 to 0.2 of the pixels, half of them to 1 and half to 0 (MNIST-C's impulse noise)."""
    sample, share = random.random(images.shape, np.float32), _uniform(random, images, 0.1, 0.2)
    salted = np.where(sample < share / 2, np.uint8(255), images)
    peppered: Images = np.where(sample > 1 - share / 2, np.uint8(0), salted)
    return peppered


def add_gaussian_noise(images: Images, random: np.random.Generator) -> Images:
    """Add normal noise of standard deviation 0.15 to 0.3, and clip to 0 to 1."""
    noise = random.standard_normal(images.shape, np.float32) * _uniform(random, images, 0.15, 0.3)
    return to_bytes(to_floats(images) + noise)


def blur_by_gaussian(images: Images, random: np.random.Generator) -> Images:
    """Blur by a Gaussian of standard deviation 1.0 to 1.6 pixels, as a camera out of focus does."""
    return to_bytes(blur(to_floats(images), random.uniform(1.0, 1.6, len(images))))


def blur_by_motion(images: Images, random: np.random.Generator) -> Images:
    """Average along a straight line of 4 to 6.5 pixels in any direction, as a shaken camera does."""
    angle, half = random.uniform(0, np.pi, len(images)), random.uniform(2, 3.25, len(images))
    arm = np.stack([np.cos(angle), np.sin(angle)], axis=1) * half[:, np.newaxis]  # (n, 2)
    kernels = coverage_within(distance_to_segment(4 - arm, 4 + arm, side=9)[1], np.zeros(len(images)))  # (n, 9, 9)
    return to_bytes(convolve(to_floats(images), kernels / kernels.sum(axis=(1, 2), keepdims=True)))


def blur_by_glass(images: Images, random: np.random.Generator) -> Images:
    """Replace half of the pixels by random neighbors, twice, between two Gaussian blurs of 0.6 pixels."""
    sigmas = np.full(len(images), 0.6)
    pictures = blur(to_floats(images), sigmas)
    rows, columns = np.indices((SIDE, SIDE))
    for _ in range(2):
        dy, dx = random.integers(-1, 2, (2, *images.shape)) * random.integers(0, 2, images.shape)
        source = np.clip(rows + dy, 0, SIDE - 1) * SIDE + np.clip(columns + dx, 0, SIDE - 1)
        flat = np.take_along_axis(pictures.reshape(len(images), -1), source.reshape(len(images), -1), axis=1)
        pictures = flat.reshape(images.shape)
    return to_bytes(blur(pictures, sigmas))


def cross_by_line(images: Images, random: np.random.Generator) -> Images:
    """Draw a straight line from edge to edge, 1 to 2 pixels wide, that passes within 5 pixels of the center."""
    _, distance = distance_to_segment(*_line_across(len(images), random))
    return _overlay(images, coverage_within(distance, random.uniform(0.5, 1.0, len(images))))


def cross_by_zigzag(images: Images, random: np.random.Generator) -> Images:
    """Draw a line from edge to edge, 1 to 1.6 pixels wide, that turns three times; half of the lines run downward."""
    across = np.linspace(-1, SIDE, 5)
    heights = random.uniform(3, SIDE - 4, (len(images), 5))
    distance = np.full(images.shape, np.inf, np.float32)
    for i in range(4):
        starts, ends = (np.stack([np.full(len(images), across[j]), heights[:, j]], axis=1) for j in (i, i + 1))
        distance = np.minimum(distance, distance_to_segment(starts, ends)[1])
    runs_down = random.random(len(images)) < 0.5
    distance[runs_down] = distance[runs_down].transpose(0, 2, 1)
    return _overlay(images, coverage_within(distance, random.uniform(0.5, 0.8, len(images))))


def cross_by_dots(images: Images, random: np.random.Generator) -> Images:
    """Draw dots, 1.4 to 2.2 pixels wide and 3 to 4.5 apart, on a straight line from edge to edge."""
    along, distance = distance_to_segment(*_line_across(len(images), random))
    period = _uniform(random, images, 3, 4.5)
    distance = np.hypot(distance, along - period * np.rint(along / period))
    return _overlay(images, coverage_within(distance, random.uniform(0.7, 1.1, len(images))))


def invert_stripes(images: Images, random: np.random.Generator) -> Images:
    """Swap foreground and background in two bands of 4 to 7 pixels along opposite edges (MNIST-C's stripe)."""
    place = np.arange(SIDE)
    before, after = random.integers(4, 8, (2, len(images), 1))
    is_inverted = np.repeat(((place < before) | (place >= SIDE - after))[:, np.newaxis], SIDE, axis=1)  # (n, 28, 28)
    is_horizontal = random.random(len(images)) < 0.5
    is_inverted[is_horizontal] = is_inverted[is_horizontal].transpose(0, 2, 1)
    striped: Images = np.where(is_inverted, 255 - images, images)
    return striped


def rule_paper(images: Images, random: np.random.Generator) -> Images:
    """Draw horizontal lines of gray level 0.4 to 0.8, a pixel wide and 6 to 9 apart, as on ruled paper."""
    period = random.uniform(6, 9, (len(images), 1))
    place = (np.arange(SIDE) - random.uniform(0, 9, (len(images), 1))) / period  # (n, 28)
    distance: Floats = (np.abs(place - np.rint(place)) * period).astype(np.float32)
    lines = coverage_within(distance[:, :, np.newaxis], np.full(len(images), 0.5))  # (n, 28, 1)
    return _overlay(images, np.broadcast_to(lines * _uniform(random, images, 0.4, 0.8), images.shape))


def spatter(images: Images, random: np.random.Generator) -> Images:
    """Cover 0.03 to 0.07 of the picture with blots 2 to 4 pixels wide (MNIST-C's spatter)."""
    wet = blur(random.standard_normal(images.shape, np.float32), np.full(len(images), 1.2))
    levels = np.sort(wet.reshape(len(images), -1), axis=1)
    share = random.uniform(0.03, 0.07, len(images))
    level = levels[np.arange(len(images)), (levels.shape[1] * (1 - share)).astype(np.intp)]
    return _overlay(images, np.clip((wet - per_picture(level)) * 12 + np.float32(0.5), 0, 1))


def shift(images: Images, random: np.random.Generator) -> Images:
    """Shift by up to 4 pixels per axis: as far as MNIST's margins allow."""
    padded = np.pad(images, ((0, 0), (4, 4), (4, 4)))
    top, left = random.integers(0, 9, (2, len(images), 1, 1))
    place = np.arange(SIDE)
    moved: Images = padded[np.arange(len(images))[:, np.newaxis, np.newaxis], top + place[:, np.newaxis], left + place]
    return moved


def scale(images: Images, random: np.random.Generator) -> Images:
    """Scale about the center by a factor of 0.6 to 1.3."""
    factor = random.uniform(0.6, 1.3, len(images))
    return to_bytes(warp(to_floats(images), np.eye(2) / factor[:, np.newaxis, np.newaxis]))


def rotate(images: Images, random: np.random.Generator) -> Images:
    """Rotate about the center by 10 to 30 degrees, in either direction."""
    angle = np.deg2rad(_either_sign(random, len(images), 10, 30))
    cosine, sine = np.cos(angle), np.sin(angle)
    matrices = np.stack([np.stack([cosine, sine], axis=1), np.stack([-sine, cosine], axis=1)], axis=1)
    return to_bytes(warp(to_floats(images), matrices))


def shear(images: Images, random: np.random.Generator) -> Images:
    """Slant by 0.2 to 0.5 pixels per row, in either direction."""
    matrices = np.tile(np.eye(2), (len(images), 1, 1))
    matrices[:, 0, 1] = _either_sign(random, len(images), 0.2, 0.5)
    return to_bytes(warp(to_floats(images), matrices))


def dilate(images: Images, random: np.random.Generator) -> Images:
    """Widen every stroke by 1 to 2 pixels, like a broad marker."""
    pictures = to_floats(images)
    wide = max_filter(pictures, radius=1)
    return to_bytes(pictures + (wide - pictures) * _uniform(random, images, 0.5, 1.0))


def erode_to_ridge(images: Images, random: np.random.Generator) -> Images:
    """Keep the ridge of every stroke, about a pixel wide, like a hard pencil.

    A pixel is kept where its blurred level reaches 0.65 to 0.8 of the maximum within 2 pixels. A plain erosion would
    delete thin strokes.
    """
    soft = blur(to_floats(images), np.full(len(images), 0.8))
    ridge = soft / np.maximum(max_filter(soft, radius=2), np.float32(0.1))
    return to_bytes((ridge - _uniform(random, images, 0.65, 0.8)) * 6 + np.float32(0.5))


CORRUPTIONS: dict[str, Corruption] = {
    "brightness": brighten,
    "low contrast": lower_contrast,
    "fog": add_fog,
    "shot noise": add_shot_noise,
    "salt and pepper": add_salt_and_pepper,
    "Gaussian noise": add_gaussian_noise,
    "Gaussian blur": blur_by_gaussian,
    "motion blur": blur_by_motion,
    "glass blur": blur_by_glass,
    "line across": cross_by_line,
    "zigzag across": cross_by_zigzag,
    "dotted line": cross_by_dots,
    "stripes": invert_stripes,
    "ruled paper": rule_paper,
    "blots": spatter,
    "shift": shift,
    "scale": scale,
    "rotation": rotate,
    "shear": shear,
    "thick strokes": dilate,
    "thin strokes": erode_to_ridge,
}
"""Every corruption by its name in the model card, in the order of the card."""


def _uniform(random: np.random.Generator, images: Images, low: float, high: float) -> Floats:
    """Return a strength for each image, (n, 1, 1)."""
    return per_picture(random.uniform(low, high, len(images)))


def _either_sign(random: np.random.Generator, count: int, low: float, high: float) -> Floats:
    """Return strengths (count,), half of them negative."""
    signed: Floats = (random.uniform(low, high, count) * random.choice([-1, 1], count)).astype(np.float32)
    return signed


def _overlay(images: Images, marks: Floats) -> Images:
    """Return the larger of the image and the marks, 0 to 1, at each pixel."""
    overlaid: Images = np.maximum(images, to_bytes(marks))
    return overlaid


def _line_across(count: int, random: np.random.Generator) -> tuple[Floats, Floats]:
    """Return start and end points (count, 2), outside the picture, of lines that pass within 5 pixels of its center."""
    angle, offset = random.uniform(0, np.pi, count), random.uniform(-5, 5, count)
    direction = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    middle = CENTER + offset[:, np.newaxis] * direction[:, ::-1] * np.array([-1, 1])
    return (middle - SIDE * direction).astype(np.float32), (middle + SIDE * direction).astype(np.float32)
