"""The foreground of a page of numbers, in every plausible way."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from inkling.digit import Floats, Gray, Mask
from inkling.vision.box_blur import box_blur
from inkling.vision.foreground import Foreground, subtract_uniform_background
from inkling.vision.paper import foregrounds_on_paper
from inkling.vision.ruled_lines import remove_ruled_lines

STRONG = 0.25
"""Of the contrast: fainter foreground of a drawing does not connect strokes."""
WEAK = 0.12
"""Of the contrast: the faintest foreground that connects fragments."""


@dataclass(frozen=True)
class StrokeMap:
    """The foreground of a picture, on its grid (h, w)."""

    levels: Gray
    """0 background to 255 foreground, without grain."""
    strong: Mask
    """What strokes consist of."""
    faint: Mask
    """Fainter foreground, which belongs to the strokes next to it, if to any."""
    weak: Mask
    """Where there is at least faint foreground, which may connect fragments of strokes."""
    removed: tuple[str, ...]
    """What was removed: one sentence each."""


def find_stroke_maps(gray: Gray | Floats) -> Iterator[StrokeMap]:
    """Yield the foreground of a picture (h, w), 0 black to 255 white, in all plausible ways, the best one first."""
    drawing = subtract_uniform_background(gray)
    lines = None if drawing is None else remove_ruled_lines(drawing.levels.astype(np.float32))
    if drawing is not None and (lines is None or not lines.is_sure):
        strong = drawing.levels > STRONG * drawing.contrast
        yield StrokeMap(drawing.levels, strong, drawing.mask & ~strong, drawing.levels > WEAK * drawing.contrast, ())
    if drawing is None or lines is not None or _crosses(drawing.mask):
        for paper in foregrounds_on_paper(gray.astype(np.float32)):
            weak = _weak(paper)
            levels = _without_grain(paper, weak)
            yield StrokeMap(levels, paper.mask, np.zeros_like(paper.mask), weak, paper.removed)


def _crosses(mask: Mask) -> bool:
    """Return whether there is foreground (h, w) at two opposite edges: perhaps of a line of the paper."""
    return bool((mask[:, 0].any() and mask[:, -1].any()) or (mask[0].any() and mask[-1].any()))


def _weak(foreground: Foreground) -> Mask:
    """Return where there is more than noise (h, w)."""
    smooth = box_blur(foreground.levels.astype(np.float32), 1)
    return foreground.mask | (smooth > 255 * max(WEAK, foreground.noise / max(foreground.contrast, 1.0)))


def _without_grain(foreground: Foreground, weak: Mask) -> Gray:
    """Return the levels without the background's grain and JPEG artifacts; not 0 where there is weak foreground."""
    floor = min(0.5, max(1.5 * foreground.noise / max(foreground.contrast, 1.0), 0.1)) * 255
    levels: Gray = np.clip((foreground.levels - floor) * (255 / (255 - floor)), weak, 255).astype(np.uint8)
    return levels
