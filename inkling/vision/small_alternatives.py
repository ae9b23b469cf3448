"""Alternative images of a picture of MNIST's own size: smoothed, without clouds, without thin lines, filled.

At 28x28 pixels no rule distinguishes a splash from a stroke, or a line across a digit from the digit's own. The network
can: it is surest of the reading that is right.
"""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from inkling.digit import SIDE, Floats, Gray, Mask
from inkling.vision.connected_components import label
from inkling.vision.placement import stretch_contrast
from inkling.vision.pooling import dilate

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
CLOUD_SIDE = 7
"""Light areas into which a square of this side fits are clouds, not strokes."""
FILLED = "hollow strokes were filled"


def changed(levels: Gray) -> dict[str, Gray | None]:
    """Return changed images of a foreground (28, 28), each by a warning that says what was done."""
    return {
        "thin lines and specks were removed": without_thin_lines(levels),
        "the picture was smoothed": smoothed(levels),
        FILLED: filled(levels),
    }


def without_thin_lines(levels: Gray) -> Gray:
    """Return a foreground (28, 28) without lines of one pixel, and without specks: the median of 3x3 pixels."""
    return stretched(_filtered(levels, ImageFilter.MedianFilter(3)))


def smoothed(levels: Gray) -> Gray:
    """Return a foreground (28, 28) blurred by a Gaussian of 0.7 pixels."""
    kernel = np.exp(-0.5 * (np.arange(-2, 3) / 0.7) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(levels, 2)
    rows = np.sum([weight * padded[i : i + SIDE] for i, weight in enumerate(kernel)], axis=0)  # (28, 32)
    blurred: Floats = np.sum([weight * rows[:, i : i + SIDE] for i, weight in enumerate(kernel)], axis=0)
    return stretched(np.rint(blurred).astype(np.uint8))


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
    if hollow.sum() < MIN_HOLLOW * outline.sum() or _has_square(hollow, HOLLOW_SIDE):
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


def _has_square(mask: Mask, side: int) -> bool:
    return bool(sliding_window_view(mask, (side, side)).all(axis=(2, 3)).any())
