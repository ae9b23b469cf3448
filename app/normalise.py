"""Any picture of one digit -> 28x28, the way MNIST's makers would have made it."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.components import label
from app.errors import NoDigitError
from app.ink import Bytes, Floats, Ink, from_ground, noise_of, on_even_ground, on_paper
from app.placing import DIGIT_SIDE, SIDE, Box, box_of, centre_of_mass, longer_side, looks_like_mnist, place, stretch
from app.stripes import without_stripes
from app.strokes import digit_of

WORK_SIDE = 256
"""Pixels of the longer side that a picture is looked at with."""
LEAST_SIDE = 5
"""Pixels of the longer side of the smallest ink that is called a digit."""
WIDEST = 2.5
"""Times its height that a digit may be wide; MNIST's are 1.8 at most."""


@dataclass(frozen=True)
class Normalisation:
    """What was done to a picture."""

    is_untouched: bool
    inverted: bool
    box: Box | None
    """Of the ink, in the picture's pixels; None if the picture is untouched."""
    background_removed: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Normalised:
    pixels: NDArray[np.uint8]
    """(28, 28), 0 ground to 255 ink."""
    report: Normalisation


def normalise(grey: NDArray[np.uint8] | NDArray[np.float32]) -> Normalised:
    """Return the picture (28, 28) that MNIST's makers would have made of a grey one (h, w), 0 black to 255 white.

    Raises:
        NoDigitError: it shows no digit, nothing but ink, or several digits.
    """
    if looks_like_mnist(grey):
        return Normalised(grey.astype(np.uint8), Normalisation(True, False, None, False, ()))
    low, high = float(grey.min()), float(grey.max())
    if high - low < 8:
        raise NoDigitError(
            f"the picture is blank: its grey levels go from {low:.0f} to {high:.0f}, and ink must differ by 8 at least"
        )
    drawn = on_even_ground(grey)
    is_framed = grey.shape == (SIDE, SIDE) and drawn is not None and longer_side(box_of(drawn.mask)) > DIGIT_SIDE
    if drawn is not None and not is_framed and (found := _drawn(drawn)) is not None:
        return found
    if grey.shape == (SIDE, SIDE):
        return _framed(grey.astype(np.float32), drawn)
    return _photographed(grey)


def _drawn(ink: Ink) -> Normalised | None:
    """Return a picture drawn on an even ground, normalised; None if there are too many specks on it to trust that."""
    step = -(-max(ink.mask.shape) // WORK_SIDE)
    coarse = _pooled(ink.mask, step)
    if label(coarse)[1] > 12:
        return None
    sure = _pooled(ink.levels > 0.12 * ink.contrast, step)
    digit = digit_of(coarse, is_noisy=False)
    box, sure_box = box_of(digit), box_of(digit & sure)
    assert box is not None
    if sure_box is None:
        return None
    mask = ink.mask & _spread(digit, step, ink.mask.shape)
    return _placed(np.where(mask, ink.levels, 0).astype(np.uint8), mask, ink)


def _placed(levels: Bytes, mask: NDArray[np.bool_], ink: Ink) -> Normalised:
    box = box_of(mask)
    assert box is not None
    left, top, right, bottom = box
    _check_box(box, float(levels[top:bottom, left:right].mean() / max(1, levels.max())))
    pixels = place(levels[top:bottom, left:right])
    return Normalised(pixels, Normalisation(False, ink.inverted, box, ink.background_removed, ()))


def _check_box(box: Box, fill: float) -> None:
    width, height = box[2] - box[0], box[3] - box[1]
    if max(width, height) < LEAST_SIDE:
        raise NoDigitError(f"the picture shows no digit: its ink is {width}x{height} pixels, at least {LEAST_SIDE} are needed")
    if width > WIDEST * height:
        raise NoDigitError(
            f"the picture shows no single digit: its ink is {width}x{height} pixels, more than {WIDEST} times as wide "
            "as high; crop it to one digit"
        )
    if fill > 0.7 and width > 0.6 * height:
        raise NoDigitError(f"the picture is all ink: {fill:.0%} of a box of {width}x{height} pixels, expected a digit's strokes")


def _framed(grey: Floats, drawn: Ink | None) -> Normalised:
    """Return a picture of MNIST's size, with noise or lines, normalised: where its digit lies well, it stays there."""
    noise = noise_of(grey)
    cleared = without_stripes(grey, noise)
    if cleared is not None:
        ink = from_ground(cleared, noise, False, True)
    elif drawn is not None:
        ink = from_ground(drawn.levels.astype(np.float32), noise, drawn.inverted, drawn.background_removed)
    else:
        ink = on_paper(grey)
    _check_contrast(ink)
    digit = digit_of(ink.mask, is_noisy=True, is_surely_one=True)
    box = box_of(digit)
    assert box is not None
    if _lies_well(ink, digit, box):
        return Normalised(stretch(ink.levels), Normalisation(False, ink.inverted, box, True, ()))
    near = np.where(_grow(digit), ink.levels, 0).astype(np.uint8)
    return _placed(near, digit, ink)


def _grow(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    from app.strokes import _grown
    return _grown(mask, 1)


def _check_contrast(ink: Ink) -> None:
    if ink.contrast < 8 or ink.contrast < 1.5 * ink.noise:
        raise NoDigitError(
            f"the picture shows no digit: its ink differs by {ink.contrast:.0f} grey levels from its ground, its noise is {ink.noise:.0f}"
        )


def _lies_well(ink: Ink, digit: NDArray[np.bool_], box: Box) -> bool:
    left, top, right, bottom = box
    if (left <= 1 and right >= SIDE - 1) or (top <= 1 and bottom >= SIDE - 1):  # a line across: the box is not the digit's
        return True
    return 17 <= longer_side(box) <= 23 and abs(left + right - SIDE) <= 6 and abs(top + bottom - SIDE) <= 6


def _photographed(grey: Bytes | Floats, depth: int = 0) -> Normalised:
    step = -(-max(grey.shape) // WORK_SIDE)
    small = np.asarray(Image.fromarray(grey).reduce(step), np.float32)
    ink = on_paper(small)
    _check_contrast(ink)
    digit = digit_of(ink.mask, is_noisy=True)
    box = box_of(digit)
    assert box is not None
    left, top, right, bottom = box
    if step > 1 and longer_side(box) < 80 and depth < 3:
        pad = longer_side(box) // 2 + 2
        y0, y1 = max(0, top - pad) * step, min((bottom + pad) * step, grey.shape[0])
        x0, x1 = max(0, left - pad) * step, min((right + pad) * step, grey.shape[1])
        inner = _photographed(grey[y0:y1, x0:x1], depth + 1)
        assert inner.report.box is not None
        l, t, r, b = inner.report.box
        return replace(inner, report=replace(inner.report, box=(l + x0, t + y0, r + x0, b + y0)))
    floor = min(120.0, max(1.5 * ink.noise, 0.1 * ink.contrast) / ink.contrast * 255)
    levels = np.clip((ink.levels - floor) * (255 / (255 - floor)), 0, 255)
    near = np.where(_spread(_pooled(digit, 1), 1, digit.shape), levels, 0).astype(np.uint8)
    found = _placed(near, digit, ink)
    box = (left * step, top * step, min(right * step, grey.shape[1]), min(bottom * step, grey.shape[0]))
    return replace(found, report=replace(found.report, box=box))


def _pooled(mask: NDArray[np.bool_], step: int) -> NDArray[np.bool_]:
    """Return whether any pixel is true in each square of `step` pixels."""
    if step == 1:
        return mask
    rows = np.logical_or.reduceat(mask, np.arange(0, mask.shape[0], step), axis=0)
    pooled: NDArray[np.bool_] = np.logical_or.reduceat(rows, np.arange(0, mask.shape[1], step), axis=1)
    return pooled


def _spread(mask: NDArray[np.bool_], step: int, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return a mask made by `_pooled` at the size of the picture again."""
    if step == 1:
        return mask
    return np.repeat(np.repeat(mask, step, axis=0), step, axis=1)[: shape[0], : shape[1]]
