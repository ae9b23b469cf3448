"""What is ink and what is ground on a gray picture: polarity, uneven paper, noise."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from inkling.digit import DIGIT_SIDE, Floats, Gray, Mask

FULL = 70
"""Percentile of the ink's levels that becomes 255: pens are as dark at a stroke's edge as in its middle, almost."""


@dataclass(frozen=True)
class Ink:
    levels: Gray
    """(h, w), 0 ground to 255 ink."""
    mask: Mask
    """(h, w): where there is ink for sure."""
    inverted: bool
    background_removed: bool
    noise: float
    """Standard deviation of the ground, in gray levels; 0 where the ground is one level."""
    contrast: float
    """Gray levels between ground and ink."""


def on_even_background(gray: Gray | Floats) -> Ink | None:
    """Return the ink of a picture whose ground is one and the same gray level; None if it has no such ground.

    Not a level of it is changed: what differs from the ground at all is ink.
    """
    low, high = gray.min(), gray.max()
    contrast = float(high) - float(low)
    border = np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])
    is_dark_ink = bool((border == high).sum() > (border == low).sum())
    if max((border == low).mean(), (border == high).mean()) < 0.5:
        if max(gray.shape) > DIGIT_SIDE:
            return None
        # A digit of MNIST's own size, cut out along its box: ink rarely fills the corners, and no ground may be left.
        is_dark_ink = float(gray[[0, 0, -1, -1], [0, -1, 0, -1]].mean()) > (float(low) + float(high)) / 2
        low, high = gray.dtype.type(0), gray.dtype.type(255)
    ground = high if is_dark_ink else low
    mask = gray != ground
    if mask.mean() > 0.9 and max(gray.shape) > DIGIT_SIDE:
        return None
    levels = ground - gray if is_dark_ink else gray - ground
    levels = levels if levels.dtype == np.uint8 else np.rint(levels).astype(np.uint8)
    return Ink(levels, mask, is_dark_ink, ground not in (0, 255), 0.0, contrast)


def on_paper(gray: Floats) -> Ink:
    """Return the ink of a picture whose ground varies: light, shadows, grain, the noise of a camera or of JPEG."""
    noise = noise_of(gray)
    rest = gray - _surface(gray)
    smooth = blurred(rest)
    is_dark_ink = _tail(-smooth) > _tail(smooth)
    ink = -rest if is_dark_ink else rest
    ink = ink - _local_background(ink)
    return of_levels(ink, noise, is_dark_ink)


def of_levels(ink: Floats, noise: float, inverted: bool) -> Ink:
    """Return the ink of levels (h, w) over a ground that was taken away, to 0."""
    smooth = _smoothed(ink, noise)
    contrast = _tail(smooth)
    mask = smooth > max(noise, 0.35 * contrast)
    full = float(np.percentile(ink[mask], FULL)) if mask.any() else 255.0
    levels = np.clip(ink * (255 / max(full, 1)), 0, 255)
    return Ink(np.rint(levels).astype(np.uint8), mask, inverted, True, noise, contrast)


def _smoothed(ink: Floats, noise: float) -> Floats:
    """Return the ink averaged over windows just wide enough that the noise does not show in its mask."""
    if noise < 5 and max(ink.shape) <= 28:
        return ink
    widest = max(1, round(max(ink.shape) / 56))
    for radius in range(1, widest + 1):
        smooth = box_blur(ink, radius)
        if noise <= 0.1 * (2 * radius + 1) * _tail(smooth):
            break
    return smooth


def noise_of(gray: Floats) -> float:
    """Return the standard deviation of the noise, from the differences of neighbors: a ramp counts nothing."""
    steps = np.concatenate([np.diff(gray, axis=0).ravel(), np.diff(gray, axis=1).ravel()])
    if not len(steps):
        return 0.0
    return float(np.median(np.abs(steps - np.median(steps)))) / 0.954


def _surface(gray: Floats) -> Floats:
    """Return the quadratic surface (h, w) nearest to most pixels: a fit of least absolute deviations, reweighted."""
    small = _reduced(gray, 28)
    values = small.ravel().astype(np.float64)
    terms = _terms(*small.shape)
    fitted: NDArray[Any] = np.full(len(values), np.median(values))
    factors = np.zeros(6)
    for _ in range(8):
        weights = 1 / np.maximum(np.abs(values - fitted), 2)
        weighted = terms * weights[:, None]
        factors = np.linalg.solve(weighted.T @ terms + 1e-9 * np.eye(6), weighted.T @ values)
        fitted = terms @ factors
    surface: Floats = (_terms(*gray.shape) @ factors).reshape(gray.shape).astype(np.float32)
    return surface


def _terms(height: int, width: int) -> NDArray[np.float64]:
    """Return 1, x, y, xx, xy, yy at the centers of pixels (h * w, 6), in -1 to 1."""
    y, x = np.meshgrid(_centers(height), _centers(width), indexing="ij")
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)


def _centers(count: int) -> NDArray[np.float64]:
    return np.linspace(1 / count - 1, 1 - 1 / count, count)


def _local_background(ink: Floats) -> Floats:
    """Return the ground that is left (h, w): the 40th percentile of windows of half the picture, smoothed."""
    small = _reduced(ink, 28)
    size = 13
    # Past the edges the ground goes on as it came: a window cut off there would lag behind a slope.
    margin = min(size // 2, *(side - 1 for side in small.shape))
    padded = np.pad(blurred(small), margin, mode="reflect", reflect_type="odd")
    ranked = np.asarray(Image.fromarray(padded).filter(ImageFilter.RankFilter(size, int(0.4 * size * size))))
    ranked = ranked[margin : margin + small.shape[0], margin : margin + small.shape[1]]
    for _ in range(3):
        ranked = blurred(ranked)
    edge = np.concatenate([ranked[:3].ravel(), ranked[-3:].ravel(), ranked[:, :3].ravel(), ranked[:, -3:].ravel()])
    if np.ptp(edge) < max(12, 1.5 * noise_of(small)):
        return np.full_like(ink, np.median(edge))
    if small.shape == ink.shape:
        return ranked
    return np.asarray(Image.fromarray(ranked).resize(ink.shape[::-1], Image.Resampling.BILINEAR))


def _reduced(gray: Floats, side: int) -> Floats:
    """Return the picture at about `side` pixels, if it is larger."""
    height, width = gray.shape
    if max(height, width) <= side:
        return gray
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(gray).resize(size, Image.Resampling.BOX))


def blurred(gray: Floats) -> Floats:
    """Return the means of windows: of 3x3 at MNIST's size, of more on larger pictures."""
    return box_blur(gray, max(1, round(max(gray.shape) / 56)))


def box_blur(gray: Floats, radius: int) -> Floats:
    """Return the mean of the window around each pixel, 2 radius + 1 wide."""
    size = 2 * radius + 1
    sums = np.pad(gray, radius, mode="edge").astype(np.float64).cumsum(axis=0).cumsum(axis=1)
    sums = np.pad(sums, ((1, 0), (1, 0)))
    window = sums[size:, size:] - sums[:-size, size:] - sums[size:, :-size] + sums[:-size, :-size]
    means: Floats = (window / size**2).astype(np.float32)
    return means


def _tail(gray: Floats) -> float:
    """Return the mean of the largest levels: 3 percent of a small picture, less of one where a digit may be small."""
    count = max(1, round(min(gray.size * 0.03, max(24, gray.size * 0.005))))
    return float(np.partition(gray.ravel(), -count)[-count:].mean())
