"""Alternative images of a picture of MNIST's own size: as it is, moved, without clouds or thin lines, filled.

At 28x28 pixels no rule distinguishes a splash from a stroke, or a line across a digit from the digit's own. The network
can: it is surest of the reading that is right.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from inkling.digit import SIDE, Floats, Gray, Mask
from inkling.vision.connected_components import label
from inkling.vision.normalization import Normalization, Normalized
from inkling.vision.placement import centering_offset, stretch_contrast
from inkling.vision.pooling import dilate, has_block

OUTLINE_LEVEL = 100
"""From this level on, a pixel belongs to the outline of a hollow stroke."""
MAX_SOLID = 0.4
"""Squares of 2x2 pixels in an outline, per pixel: 0.52 is the median of MNIST's digits, none that of edges."""
MAX_SOLID_OF_EDGES = 0.03
"""The same for lines of one pixel: 0.01 in edges of MNIST's digits, and 0.25 in the digits, but for 1 of 100."""
MIN_HOLLOW = 0.1
"""Pixels inside of hollow strokes, per pixel of their outline."""
HOLLOW_SIDE = 5
"""No square of this side fits into a hollow stroke; into the hole of a 0 it does."""
MAX_MOVE = 8
"""Pixels by which a picture is moved, at most: MNIST's margins, and as much again."""
CLOUD_SIDE = 7
"""Light areas into which a square of this side fits are clouds, not strokes."""
FILLED = "hollow strokes were filled"
LIKELY, GUESS, DOUBTFUL = 3.0, 0.6, 0.2
"""Weights of readings: a likely one counts as much as a first reading, the others only if they are clearly surer than
the picture as it is. Chosen on held-out images under 52 kinds of corruptions, against the picture as it is."""


def changed(levels: Gray, report: Normalization) -> list[Normalized]:
    """Return readings of a foreground (28, 28) without lines of one pixel, and with hollow strokes filled."""
    readings = [variant(without_thin_lines(levels), report, "thin lines and specks were removed")]
    solid = filled(levels)
    if solid is not None:
        readings.append(variant(solid, report, FILLED, weight=LIKELY))
    return readings


def unchanged(gray: Floats, report: Normalization) -> list[Normalized]:
    """Return readings of a picture (28, 28) as it was sent, light on dark, and moved to its center of mass.

    A centered digit with marks is best read where it is, for the marks move the center of mass; a shifted one is not.
    """
    sent = np.rint(255 - gray if report.inverted else gray).astype(np.uint8)
    report = replace(report, background_removed=False, warnings=())
    as_it_is = Normalized(sent, report, weight=LIKELY, is_shifted=True)
    background = np.median(np.concatenate([sent[0], sent[-1], sent[:, 0], sent[:, -1]]))
    strokes = np.maximum(sent - background, 0)
    if not strokes.any():
        return [as_it_is]
    down, right = (min(max(by, -MAX_MOVE), MAX_MOVE) for by in centering_offset(strokes))
    moved = np.pad(sent, MAX_MOVE, mode="edge")[MAX_MOVE - down :, MAX_MOVE - right :][:SIDE, :SIDE]
    warning = "the picture was moved to its center of mass"
    return [as_it_is, variant(moved, report, warning, weight=DOUBTFUL, is_shifted=True)]


def variant(
    image: Gray, report: Normalization, warning: str, weight: float = GUESS, *, is_shifted: bool = False
) -> Normalized:
    """Return a reading with a warning, after those of its report, that says what was done."""
    report = replace(report, warnings=(*report.warnings, warning))
    return Normalized(image, report, weight=weight, is_shifted=is_shifted)


def without_thin_lines(levels: Gray) -> Gray:
    """Return a foreground (28, 28) without lines of one pixel, and without specks: the median of 3x3 pixels."""
    return stretched(_filtered(levels, ImageFilter.MedianFilter(3)))


def without_clouds(gray: Floats, *, inverted: bool) -> Gray:
    """Return the foreground (28, 28) of a gray picture whose background changes within a few pixels, as fog does.

    The white top-hat transform: the picture minus its opening by a square.
    """
    light = 255 - gray if inverted else gray
    opened = _filtered(light, ImageFilter.MinFilter(CLOUD_SIDE), ImageFilter.MaxFilter(CLOUD_SIDE))
    difference = light - opened
    full = max(float(np.percentile(difference, 98)), 1)
    levels: Gray = np.rint(np.clip(difference * (255 / full), 0, 255)).astype(np.uint8)
    return levels


def filled(levels: Gray, max_solid: float = MAX_SOLID) -> Gray | None:
    """Return a foreground (28, 28) with its hollow strokes filled; None if it has none.

    A stroke that is drawn as its outline encloses an area beside the outside; the hole of a hollow 0 is one further in.
    """
    outline = levels >= OUTLINE_LEVEL
    is_solid = outline[:-1, :-1] & outline[1:, :-1] & outline[:-1, 1:] & outline[1:, 1:]
    if is_solid.sum() > max_solid * outline.sum():
        return None
    areas, count = _label_by_edges(~outline)
    border = np.concatenate([areas[0], areas[-1], areas[:, 0], areas[:, -1]])
    is_outside = np.zeros(count + 1, np.bool_)
    is_outside[border] = True
    is_outside[0] = False
    if count == is_outside.sum():
        return None
    inside = ~np.isin(areas, np.flatnonzero(is_outside)) & ~outline
    is_beside = np.zeros(count + 1, np.bool_)
    is_beside[areas[dilate(is_outside[areas], 2) & inside]] = True
    hollow = is_beside[areas]
    if hollow.sum() < MIN_HOLLOW * outline.sum() or has_block(hollow, HOLLOW_SIDE, HOLLOW_SIDE):
        return None
    return np.where(hollow, np.uint8(255), levels)


def stretched(levels: Gray) -> Gray:
    """Return a foreground with a maximum of 255; if it is blank, it stays so."""
    return stretch_contrast(levels) if levels.any() else levels


def _filtered(picture: Gray | Floats, *filters: ImageFilter.Filter) -> NDArray[Any]:
    """Return a picture (28, 28) after rank filters; beyond its edges its outermost pixels are repeated."""
    margin = CLOUD_SIDE
    image = Image.fromarray(np.pad(picture, margin, mode="edge"))
    for rank_filter in filters:
        image = image.filter(rank_filter)
    return np.asarray(image)[margin:-margin, margin:-margin]


def _label_by_edges(mask: Mask) -> tuple[NDArray[np.int32], int]:
    """Label components as `label` does, but of pixels that touch by an edge: a corner does not suffice.

    On a grid twice as fine, where there is a pixel between two true pixels that touch by an edge.
    """
    fine = np.zeros((2 * SIDE - 1, 2 * SIDE - 1), np.bool_)
    fine[::2, ::2] = mask
    fine[1::2, ::2] = mask[:-1] & mask[1:]
    fine[::2, 1::2] = mask[:, :-1] & mask[:, 1:]
    labels, count = label(fine)
    return labels[::2, ::2], count
