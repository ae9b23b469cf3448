"""The normalization of a drawing on a uniform background, which keeps every gray level of its digit."""

import numpy as np
from PIL import Image

from inkling.digit import SIDE, Mask
from inkling.vision.captions import CAPTIONS_LEFT_OUT, find_captions
from inkling.vision.connected_components import label
from inkling.vision.foreground import Foreground
from inkling.vision.normalization import Normalized, first_reading, shift_box
from inkling.vision.placed_digit import place_digit
from inkling.vision.placement import bounding_box, longer_side
from inkling.vision.pooling import WORK_SIDE, dilate, max_pool, upsample
from inkling.vision.ruled_lines import Unruled, remove_ruled_lines
from inkling.vision.segmentation import select_digit

MAX_DRAWING_COMPONENTS = 12
"""A drawing has at most this many connected components; a picture with more is noise on a uniform background."""


def normalize_drawing(drawing: Foreground) -> Normalized | None:
    """Normalize a drawing on a uniform background; return None if it has too many components to be one.

    Text and icons beside the digit are left out; the drawing with them is another reading.
    """
    step = -(-max(drawing.mask.shape) // WORK_SIDE)
    coarse = max_pool(drawing.mask, step)
    labels, count = label(coarse)
    captions = find_captions(labels, count)
    if captions is None:
        return _read(drawing, coarse, step, is_one=count == 1) if count <= MAX_DRAWING_COMPONENTS else None
    kept = np.concatenate([[False], ~captions])[labels]
    if count - captions.sum() > MAX_DRAWING_COMPONENTS:
        return None
    ways = [lambda: _read(drawing, kept, step, CAPTIONS_LEFT_OUT)]
    return first_reading([*ways, lambda: _read(drawing, coarse, step)])


def _read(drawing: Foreground, coarse: Mask, step: int, *warnings: str, is_one: bool = False) -> Normalized:
    """Normalize the part of a drawing that a mask, reduced `step` times, selects; `is_one`: its pixels all touch."""
    # Refuse several digits; faint pixels are left out, because they might connect two of them.
    strong = select_digit(coarse & max_pool(drawing.levels > 0.25 * drawing.contrast, step), is_noisy=False)
    digit = coarse if is_one else select_digit(coarse, is_noisy=False, is_surely_one=True)
    reach = _halo(strong, digit, step)
    if not reach:
        return _place(drawing, digit, step, warnings)
    ways = [lambda: _place(drawing, digit & dilate(strong, reach), step, warnings)]
    return first_reading([*ways, lambda: _place(drawing, digit, step, warnings)])


def _place(drawing: Foreground, digit: Mask, step: int, warnings: tuple[str, ...]) -> Normalized:
    left, top, right, bottom = bounding_box(digit) or (0, 0, 1, 1)
    crop = slice(top * step, bottom * step), slice(left * step, right * step)
    mask = drawing.mask[crop]
    mask = mask & upsample(digit[top:bottom, left:right], step, mask.shape)
    return shift_box(place_digit(drawing.levels[crop] * mask, mask, drawing, warnings), left * step, top * step)


def _halo(strong: Mask, digit: Mask, step: int) -> int:
    """Return how far from its strong pixels (h, w) a digit ends, if faint ones reach much farther; else 0.

    Those are what JPEG leaves around strokes and along the edges of a picture that was cut out of another one.
    """
    box, whole = bounding_box(strong), bounding_box(digit)
    if box is None or whole is None or longer_side(box) * step <= SIDE:
        return 0
    reach = 1 + longer_side(box) // 20
    farthest = max(abs(one - other) for one, other in zip(box, whole, strict=True))
    return reach if farthest > reach else 0


def find_lines(drawing: Foreground) -> Unruled | None:
    """Return a reduced drawing without the lines of its paper, None if it has none; they reach two opposite edges."""
    mask = drawing.mask
    if not ((mask[:, 0].any() and mask[:, -1].any()) or (mask[0].any() and mask[-1].any())):
        return None
    step = -(-max(mask.shape) // WORK_SIDE)
    return remove_ruled_lines(np.asarray(Image.fromarray(drawing.levels).reduce(step), np.float32))
