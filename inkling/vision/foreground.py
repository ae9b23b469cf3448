"""The foreground of a gray picture, separated from its background: polarity, uneven paper, noise."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image

from inkling.digit import DIGIT_SIDE, SIDE, Floats, Gray, Mask
from inkling.vision.box_blur import box_blur
from inkling.vision.order_statistics import median, percentile, rank_of_windows
from inkling.vision.pooling import share
from inkling.vision.surface import downscale, fit_surface

FULL_PERCENTILE = 70
"""Percentile of the foreground's levels that becomes 255: a pen is almost as dark at a stroke's edge as inside it."""
NOISE_SAMPLE = 16_384
"""Pixels from which the noise is estimated, in each of two directions."""
FEW, FEW_FACTOR = 24, 2.0
"""Pixels that are a digit, at least, and how much more their level is than that of many, if these are no strokes."""
MIN_NOISY_SIDE = 2 * SIDE + 1
"""Pixels; in a smaller picture, a quarter of a side is too short to know noise from strokes."""


@dataclass(frozen=True)
class Foreground:
    """The strokes of a picture, on the same grid."""

    levels: Gray
    """(h, w), 0 background to 255 foreground."""
    mask: Mask
    """(h, w): true where a pixel is certainly foreground."""
    inverted: bool
    """Whether it is darker than its background."""
    background_removed: bool
    """Whether the background was anything but plain black or white."""
    noise: float
    """Standard deviation of the background, in gray levels; 0 on a uniform background."""
    contrast: float
    """Gray levels between background and foreground."""
    removed: tuple[str, ...] = ()
    """Marks on the paper, and shadows, that were removed: one sentence each."""


def subtract_uniform_background(gray: Gray | Floats) -> Foreground | None:
    """Return the foreground of a picture whose background is one gray level; None if there is no such level.

    No level of it is changed: every pixel that differs from the background is foreground.
    """
    low, high = gray.min(), gray.max()
    contrast = float(high) - float(low)
    border = np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])
    is_cropped = max(share(border == low), share(border == high)) < 0.5
    if is_cropped and max(gray.shape) > DIGIT_SIDE:
        return None
    if min(gray.shape) >= MIN_NOISY_SIDE and _is_overexposed(gray):
        return None
    is_darker = _is_dark_on_uniform_background(gray, border, is_cropped=is_cropped)
    if is_cropped:
        low, high = gray.dtype.type(0), gray.dtype.type(255)
    background = high if is_darker else low
    mask = gray != background
    if share(mask) > 0.9 and max(gray.shape) > DIGIT_SIDE:
        return None
    levels = background - gray if is_darker else gray - background
    levels = levels if levels.dtype == np.uint8 else np.rint(levels).astype(np.uint8)
    return Foreground(
        levels,
        mask,
        inverted=is_darker,
        background_removed=background not in (0, 255),
        noise=0.0,
        contrast=contrast,
    )


def _is_overexposed(gray: Gray | Floats) -> bool:
    """Return whether noise on a white or black background was cut off there, so that most of it seems uniform.

    Then neighbors differ in each corner of the picture. Strokes that touch its sides leave most corners free, and ruled
    lines two of its sides.
    """
    sides = (gray[0], gray[-1], gray[:, 0], gray[:, -1])
    corners = [part for side in sides for part in (side[: len(side) // 4], side[-(len(side) // 4) :])]
    return all(share(part[1:] != part[:-1]) > 0.05 for part in corners)


class Strokes(NamedTuple):
    """The levels of a picture minus those of its background."""

    levels: Floats
    """(h, w), about 0 where the background is, more where the foreground is."""
    noise: float
    """Standard deviation of the background, in gray levels."""
    is_darker: bool
    """Whether the foreground is darker than its background in the picture."""


def subtract_varying_background(gray: Floats) -> Foreground:
    """Return the foreground of a picture whose background varies: light, shadows, grain, noise of a camera or JPEG."""
    strokes = subtract_surface(gray)
    return threshold_foreground(strokes.levels, strokes.noise, inverted=strokes.is_darker)


def subtract_surface(gray: Floats) -> Strokes:
    """Return the strokes of a picture (h, w) on a background that varies smoothly."""
    difference = gray - fit_surface(gray)
    is_darker = _is_dark_on_varying_background(difference)
    levels = -difference if is_darker else difference
    return Strokes(levels - _local_background(levels), estimate_noise(gray), is_darker)


def threshold_foreground(foreground: Floats, noise: float, *, inverted: bool) -> Foreground:
    """Return the foreground of levels (h, w) whose background was subtracted, so that it is about 0."""
    smooth, largest = _smooth_until_noise_is_low(foreground, noise)
    contrast = _contrast(smooth, largest, noise)
    mask = smooth > max(noise, 0.35 * contrast)
    full = percentile(foreground[mask], FULL_PERCENTILE) if mask.any() else 255.0
    levels = np.clip(foreground * (255 / max(full, 1)), 0, 255)
    return Foreground(
        np.rint(levels).astype(np.uint8),
        mask,
        inverted=inverted,
        background_removed=True,
        noise=noise,
        contrast=contrast,
    )


def _contrast(smooth: Floats, largest: Floats, noise: float) -> float:
    """Return the level of the strokes: the mean of the largest levels, or of few of them if the strokes are few.

    Of a small digit on a large sheet of paper, most of the largest levels are noise, and traces of lines.
    """
    contrast = float(largest.mean())
    among = largest if len(largest) >= FEW else smooth.ravel()
    few = float(np.partition(among, -FEW)[-FEW:].mean()) if smooth.size > FEW else contrast
    return few if few > max(FEW_FACTOR * contrast, 8 * noise) else contrast


def estimate_noise(gray: Floats) -> float:
    """Return the standard deviation of the noise, from the differences between neighbors; a ramp does not count.

    Of a large picture, some columns and rows are enough.
    """
    every = max(1, gray.size // NOISE_SAMPLE)
    steps = np.concatenate([np.diff(gray[:, ::every], axis=0).ravel(), np.diff(gray[::every], axis=1).ravel()])
    if not len(steps):
        return 0.0
    return median(np.abs(steps - steps.dtype.type(median(steps)))) / 0.954


def _is_dark_on_uniform_background(gray: Gray | Floats, border: Gray | Floats, *, is_cropped: bool) -> bool:
    """Decide the polarity of a picture on a uniform background: True if the strokes are darker.

    Args:
        gray: the picture (h, w).
        border: its outermost pixels (n,). More of them are background than foreground.
        is_cropped: whether this is a digit of MNIST's own size, cropped to its box. Its border may have no background
            left, so the corners decide, which strokes rarely fill.
    """
    low, high = gray.min(), gray.max()
    if is_cropped:
        corners = gray[[0, 0, -1, -1], [0, -1, 0, -1]]
        return float(corners.mean()) > (float(low) + float(high)) / 2
    return bool((border == high).sum() > (border == low).sum())


def _is_dark_on_varying_background(difference: Floats) -> bool:
    """Decide the polarity of a picture from its levels (h, w) minus its background: True if the strokes are darker."""
    smooth = _smooth(difference)
    return mean_of_largest(-smooth) > mean_of_largest(smooth)


def _smooth(gray: Floats) -> Floats:
    """Return the picture blurred by a window that grows with it: 3x3 at MNIST's size."""
    return box_blur(gray, max(1, round(max(gray.shape) / 56)))


def _smooth_until_noise_is_low(foreground: Floats, noise: float) -> tuple[Floats, Floats]:
    """Return the foreground blurred by the smallest window that keeps noise out of its mask, and its largest levels."""
    if noise < 5 and max(foreground.shape) <= SIDE:
        return foreground, _largest(foreground)
    widest = max(1, round(max(foreground.shape) / 56))
    for radius in range(1, widest + 1):
        smooth = box_blur(foreground, radius)
        largest = _largest(smooth)
        if noise <= 0.1 * (2 * radius + 1) * float(largest.mean()):
            break
    return smooth, largest


def _local_background(foreground: Floats) -> Floats:
    """Return the background that is left (h, w): the 40th percentile of windows of half the picture, smoothed."""
    small = downscale(foreground, SIDE)
    size = 13
    # Extrapolated beyond the edges: a window that is cut off there would be wrong on a slope.
    margin = min(size // 2, *(side - 1 for side in small.shape))
    padded = np.pad(_smooth(small), margin, mode="reflect", reflect_type="odd")
    padded = np.pad(padded, size // 2 - margin, mode="edge")
    ranked = rank_of_windows(padded, size, int(0.4 * size * size))
    for _ in range(3):
        ranked = _smooth(ranked)
    edge = np.concatenate([ranked[:3].ravel(), ranked[-3:].ravel(), ranked[:, :3].ravel(), ranked[:, -3:].ravel()])
    if np.ptp(edge) < max(12, 1.5 * estimate_noise(small)):
        return np.full_like(foreground, median(edge))
    if small.shape == foreground.shape:
        return ranked
    return np.asarray(Image.fromarray(ranked).resize(foreground.shape[::-1], Image.Resampling.BILINEAR))


def mean_of_largest(gray: Floats) -> float:
    """Return the mean of the largest levels of a picture (h, w)."""
    return float(_largest(gray).mean())


def _largest(gray: Floats) -> Floats:
    """Return the largest levels (n,): 3 % of a small picture, less of a large one: its digit may be small."""
    count = max(1, round(min(gray.size * 0.03, max(24, gray.size * 0.005))))
    return np.partition(gray.ravel(), -count)[-count:]
