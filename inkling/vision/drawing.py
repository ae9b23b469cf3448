"""The normalization of a drawing on a uniform background, which keeps every gray level of its digit."""

import numpy as np
from PIL import Image

from inkling.vision.connected_components import label
from inkling.vision.foreground import Foreground
from inkling.vision.normalization import Normalized
from inkling.vision.placed_digit import place_digit
from inkling.vision.pooling import WORK_SIDE, max_pool, upsample
from inkling.vision.ruled_lines import Unruled, remove_ruled_lines
from inkling.vision.segmentation import select_digit

MAX_DRAWING_COMPONENTS = 12
"""A drawing has at most this many connected components; a picture with more is noise on a uniform background."""


def normalize_drawing(drawing: Foreground) -> Normalized | None:
    """Normalize a drawing on a uniform background; return None if it has too many components to be one."""
    step = -(-max(drawing.mask.shape) // WORK_SIDE)
    coarse = max_pool(drawing.mask, step)
    if label(coarse)[1] > MAX_DRAWING_COMPONENTS:
        return None
    # Refuse several digits; faint pixels are left out, because they might connect two of them.
    select_digit(max_pool(drawing.levels > 0.25 * drawing.contrast, step), is_noisy=False)
    digit = select_digit(coarse, is_noisy=False, is_surely_one=True)
    mask = drawing.mask & upsample(digit, step, drawing.mask.shape)
    return place_digit(np.where(mask, drawing.levels, 0).astype(np.uint8), mask, drawing)


def find_lines(drawing: Foreground) -> Unruled | None:
    """Return a reduced drawing without the lines of its paper, None if it has none; they reach two opposite edges."""
    mask = drawing.mask
    if not ((mask[:, 0].any() and mask[:, -1].any()) or (mask[0].any() and mask[-1].any())):
        return None
    step = -(-max(mask.shape) // WORK_SIDE)
    return remove_ruled_lines(np.asarray(Image.fromarray(drawing.levels).reduce(step), np.float32))
