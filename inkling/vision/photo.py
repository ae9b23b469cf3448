"""The normalization of a photograph, whose background varies."""

from dataclasses import replace
from functools import partial

import numpy as np
from PIL import Image

from inkling.digit import Floats, Gray
from inkling.vision.captions import CAPTIONS_LEFT_OUT, find_captions
from inkling.vision.connected_components import label
from inkling.vision.dots import has_dots
from inkling.vision.foreground import Foreground
from inkling.vision.normalization import (
    Normalized,
    enlarge_box,
    first_reading,
    shift_box,
    with_alternatives,
    with_warnings,
)
from inkling.vision.paper import foregrounds_on_paper
from inkling.vision.placed_digit import box_or_raise, check_contrast, place_digit
from inkling.vision.placement import longer_side
from inkling.vision.pooling import WORK_SIDE
from inkling.vision.segmentation import select_digit

SHARP_SIDE = 60
"""If the digit is smaller than this in the downscaled picture, crop around it and redo the work at higher resolution.

Below WORK_SIDE / 4, so that the crop always shrinks and the recursion ends.
"""

DOTS_REMOVED = "the dots of the paper were removed"


def normalize_photo(gray: Gray | Floats, *, only_first: bool = False) -> Normalized:
    """Normalize a photograph, with what else its foreground may be as alternatives."""
    step = -(-max(gray.shape) // WORK_SIDE)
    small = np.asarray(Image.fromarray(gray).reduce(step), np.float32)
    foregrounds = foregrounds_on_paper(small)[: 1 if only_first else None]
    return first_reading(
        partial(_read_photo, gray, foreground, step, only_first=only_first or i > 0)
        for i, foreground in enumerate(foregrounds)
    )


def _read_photo(gray: Gray | Floats, foreground: Foreground, step: int, *, only_first: bool) -> Normalized:
    """Normalize a photograph, given its foreground in the picture reduced `step` times, without and with captions."""
    check_contrast(foreground)
    labels, count = label(foreground.mask)
    captions = find_captions(labels, count)
    as_it_is = partial(_read_foreground, gray, foreground, step, only_first=only_first or captions is not None)
    if captions is None:
        return as_it_is()
    mask = np.concatenate([[False], ~captions])[labels]
    kept = replace(foreground, mask=mask, removed=(*foreground.removed, CAPTIONS_LEFT_OUT))
    without = partial(_read_foreground, gray, kept, step, only_first=only_first)
    if only_first:
        return without()
    found = first_reading([without, as_it_is])
    return with_alternatives(found, found.alternatives)  # small text is left out as dust, too


def _read_foreground(gray: Gray | Floats, foreground: Foreground, step: int, *, only_first: bool) -> Normalized:
    """Normalize a photograph, given its foreground in the picture reduced `step` times."""
    digit = select_digit(foreground.mask, is_noisy=True)
    left, top, right, bottom = box = box_or_raise(digit)
    if step > 1 and longer_side(box) < SHARP_SIDE:
        margin = longer_side(box) // 2 + 2
        left, top = max(0, left - margin) * step, max(0, top - margin) * step
        right, bottom = (right + margin) * step, (bottom + margin) * step
        inside = shift_box(normalize_photo(gray[top:bottom, left:right], only_first=only_first), left, top)
        return with_warnings(inside, (CAPTIONS_LEFT_OUT,)) if CAPTIONS_LEFT_OUT in foreground.removed else inside
    floor = min(0.5, max(1.5 * foreground.noise / foreground.contrast, 0.1)) * 255  # grain and JPEG artifacts
    has_marks = has_dots(foreground.levels > floor, digit)
    removed = (*foreground.removed, *([DOTS_REMOVED] if has_marks else []))
    levels = np.where(digit, np.clip((foreground.levels - floor) * (255 / (255 - floor)), 0, 255), 0)
    return enlarge_box(place_digit(levels.astype(np.uint8), digit, foreground, removed), step, gray.shape)
