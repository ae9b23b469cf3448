"""What is ink and what is ground on a grey picture: polarity, uneven paper, noise, specks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from app.components import label
from app.errors import NoDigitError

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Ink:
    pixels: NDArray[np.uint8]
    """(h, w), 0 ground to 255 ink."""
    mask: NDArray[np.bool_]
    """(h, w): what makes up the digit."""
    inverted: bool
    background_removed: bool
    noise: float
    """Standard deviation of the ground's grey levels, 0 where the ground is even."""


def find_ink(grey: NDArray[np.uint8] | NDArray[np.float32]) -> Ink:
    """Return the ink of a grey picture (h, w), 0 black to 255 white, of either polarity.

    Raises:
        NoDigitError: there is none.
    """
    return _on_even_ground(grey) or _on_paper(grey.astype(np.float32))


def _on_even_ground(grey: NDArray[np.uint8] | NDArray[np.float32]) -> Ink | None:
    """Return the ink of a picture whose ground is one and the same grey level, None if it has no such ground."""
    low, high = float(grey.min()), float(grey.max())
    if high - low < 8:
        raise NoDigitError(f"is blank: its grey levels go from {low:.0f} to {high:.0f}")
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    ground = low if (border == low).sum() >= (border == high).sum() else high
    mask = grey != ground
    if mask.mean() > 0.9 or (border == ground).mean() < 0.5:
        return None
    if label(mask)[1] > 12:
        return None
    ink = np.abs(grey - np.float32(ground))
    return Ink(np.rint(ink).astype(np.uint8), mask, ground == high, ground not in (0, 255), 0.0)


def noise_of(grey: Floats) -> float:
    """Return the standard deviation of the noise, from the differences of neighbours: a ramp counts nothing."""
    steps = np.concatenate([np.diff(grey, axis=0).ravel(), np.diff(grey, axis=1).ravel()])
    return float(np.median(np.abs(steps - np.median(steps)))) / 0.954


def _surface(grey: Floats) -> Floats:
    """Return the quadratic surface (h, w) nearest to most pixels: a fit of least absolute deviations, reweighted."""
    height, width = grey.shape
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)
    values = grey.ravel().astype(np.float64)
    fitted = np.full_like(values, np.median(values))
    for _ in range(8):
        weights = 1 / np.maximum(np.abs(values - fitted), 2)
        weighted = terms * weights[:, None]
        fitted = terms @ np.linalg.solve(weighted.T @ terms + 1e-9 * np.eye(6), weighted.T @ values)
    return fitted.reshape(height, width).astype(np.float32)


def _on_paper(grey: Floats) -> Ink:
    noise = noise_of(grey)
    rest = grey - _surface(grey)
    smooth = _blurred(rest)
    high, low = _tail(smooth), _tail(-smooth)
    inverted = low > high
    ink = -rest if inverted else rest
    ground = _local_ground(ink)
    ink = ink - ground
    smooth = _blurred(ink)
    contrast = _tail(smooth)
    floor = max(1.5 * noise, 0.1 * contrast)
    mask = smooth > max(noise, 0.35 * contrast)
    labels, count = label(mask)
    if contrast < 8 or contrast < 1.5 * noise or not count:
        raise NoDigitError(f"shows no digit: its contrast is {contrast:.0f} of 255, its noise {noise:.0f}")
    areas = np.bincount(labels.ravel())[1:]
    keep = np.flatnonzero(areas >= 0.1 * areas.max()) + 1
    mask = np.isin(labels, keep)
    full = np.percentile(ink[mask], 90)
    near = _grown(mask, max(1, round(max(grey.shape) / 28)))
    levels = np.where(near, np.clip((ink - floor) / max(full - floor, 1), 0, 1), 0)
    return Ink(np.rint(levels * 255).astype(np.uint8), mask, inverted, True, noise)


def _blurred(grey: Floats) -> Floats:
    radius = max(1, round(max(grey.shape) / 56))
    padded = np.pad(grey, radius, mode="edge")
    size = 2 * radius + 1
    sums = np.cumsum(np.cumsum(np.pad(padded, ((1, 0), (1, 0))), axis=0, dtype=np.float64), axis=1)
    window = sums[size:, size:] - sums[:-size, size:] - sums[size:, :-size] + sums[:-size, :-size]
    return (window / size**2).astype(np.float32)


def _tail(grey: Floats) -> float:
    """Return the mean of the largest 3 percent."""
    count = max(1, round(grey.size * 0.03))
    return float(np.partition(grey.ravel(), -count)[-count:].mean())


def _local_ground(ink: Floats) -> Floats:
    shift = float(ink.min())
    image = (
        Image.fromarray(ink - shift).resize((28, 28), Image.Resampling.BOX)
        if ink.shape != (28, 28)
        else Image.fromarray(ink - shift)
    )
    size = 13
    ranked = image.filter(ImageFilter.RankFilter(size, int(0.4 * size * size)))
    ranked = Image.fromarray(_blurred(_blurred(_blurred(np.asarray(ranked)))))
    return np.asarray(ranked.resize(ink.shape[::-1], Image.Resampling.BILINEAR)) + shift


def _grown(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    size = 2 * radius + 1
    return np.asarray(Image.fromarray(mask.astype(np.uint8)).filter(ImageFilter.MaxFilter(size))).astype(bool)
