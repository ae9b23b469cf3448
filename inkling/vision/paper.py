"""The paper under and around the strokes of a photograph: its light, its shadows, folds, edges and lines.

Evenly lit paper is a smooth surface. Other paper is found by a closing, a sliding maximum, then a sliding minimum. It
fills whatever is darker and narrower than its window: the strokes. Whatever is wider stays, with its edges: a shadow.
Light strokes on dark paper are the same picture, negated.
Source: J. Serra, Image Analysis and Mathematical Morphology, 1982.
"""

from dataclasses import replace

import numpy as np

from inkling.digit import SIDE, Floats
from inkling.vision.box_blur import box_blur
from inkling.vision.connected_components import label
from inkling.vision.foreground import (
    Foreground,
    Strokes,
    estimate_noise,
    mean_of_largest,
    subtract_surface,
    threshold_foreground,
)
from inkling.vision.order_statistics import median
from inkling.vision.plateaus import has_plateau
from inkling.vision.pooling import close
from inkling.vision.ruled_lines import remove_ruled_lines
from inkling.vision.segmentation import DUST
from inkling.vision.surface import downscale, fit_surface
from inkling.vision.two_levels import find_two_levels

WINDOW = 0.3
"""Side of the window, as a share of the picture's shorter side: wider than any stroke of a digit that fills it."""
NARROW_WINDOW = 0.18
"""Side of a second window, which follows the corners of a shadow better, but fills thin strokes only."""
COARSE_SIDE = 96
"""Pixels of the longer side of the copy in which shadows are looked for."""
UNEVEN = 0.05
"""Paper is uneven if 1 % of it is that far from a smooth surface, as a share of its level."""
NOISE_FACTOR = 4
"""Of the noise, at most so far does a surface that follows its maxima depart from a smooth one."""
VERY_UNEVEN = 0.06
"""If 10 % of it are that far, the surface is no plausible paper any more."""
DARKEST = 16.0
"""Gray levels: paper darker than this counts as this dark, so that noise in it is not divided by nearly nothing."""
FAINT = 0.75
"""Share of the darkest component's mean level; what is left of a shadow is fainter than strokes."""
FAINT_PIXEL = 0.4
"""Share of the level of strokes: where the edge of a shadow or a crease touches a stroke, only its level differs."""
SHADOW_REMOVED = "a shadow was removed"
LINES_REMOVED = "ruled lines were removed"


def foregrounds_on_paper(gray: Floats) -> list[Foreground]:
    """Return the foreground of a photo (h, w), 0 black to 255 white, in all plausible ways, the best one first."""
    even = subtract_surface(gray)
    tenth, hundredth, noise = _departures(gray)
    smooth = box_blur(even.levels, 1)
    is_shaded = has_plateau(smooth, mean_of_largest(smooth))
    if hundredth <= max(UNEVEN, NOISE_FACTOR * noise) and not is_shaded:
        return _remove_lines(even)
    shaded = _remove_shadows(gray)
    if not is_shaded and tenth <= VERY_UNEVEN:
        return _remove_lines(even) + shaded
    flat = find_two_levels(gray)
    if flat is None:
        return shaded
    is_shadow = flat.mask[[0, 0, -1, -1], [0, -1, 0, -1]].any()  # likely: strokes rarely fill a corner
    return [*shaded, flat] if is_shadow else [flat, *shaded]


def _remove_shadows(gray: Floats) -> list[Foreground]:
    """Return the foreground of a picture (h, w) on paper with shadows in all plausible ways."""
    smooth = box_blur(gray, 1)
    papers = (_find_paper(smooth, share) for share in (NARROW_WINDOW, WINDOW))
    pictures = [_subtract(gray, paper, is_darker=is_darker) for paper, is_darker in papers]
    unruled = [_remove_lines(strokes, SHADOW_REMOVED) for strokes in pictures]
    dark = [
        # where no line was found, none is left
        [_threshold(_keep_dark(strokes), SHADOW_REMOVED)]
        if len(found) == 1 and LINES_REMOVED not in found[0].removed
        else _remove_lines(_keep_dark(strokes), SHADOW_REMOVED)
        for strokes, found in zip(pictures, unruled, strict=True)
    ]
    return [_drop_faint(foreground) for found in (*dark, *unruled) for foreground in found]


def _keep_dark(strokes: Strokes) -> Strokes:
    """Return strokes without levels that are fainter than most of theirs."""
    least = FAINT_PIXEL * mean_of_largest(box_blur(strokes.levels, 1))
    return strokes._replace(levels=np.maximum(strokes.levels - least, 0) / np.float32(1 - FAINT_PIXEL))


def _drop_faint(foreground: Foreground) -> Foreground:
    """Return the foreground without components that are much fainter than its strokes: the corners of shadows."""
    labels, count = label(foreground.mask)
    if count < 2:
        return foreground
    areas = np.bincount(labels.ravel())[1:]  # (count,)
    means = np.bincount(labels.ravel(), weights=foreground.levels.ravel())[1:] / areas
    keep = means >= FAINT * means[areas >= DUST * areas.max()].max()
    return replace(foreground, mask=np.concatenate([[False], keep])[labels])


def _remove_lines(strokes: Strokes, *removed: str) -> list[Foreground]:
    """Return the foreground of strokes without lines, and, where it is doubtful, with them."""
    unruled = remove_ruled_lines(strokes.levels)
    if unruled is None:
        return [_threshold(strokes, *removed)]
    found = [_threshold(strokes._replace(levels=unruled.strokes), *removed, LINES_REMOVED)]
    return found if unruled.is_sure else [*found, _threshold(strokes, *removed)]


def _threshold(strokes: Strokes, *removed: str) -> Foreground:
    foreground = threshold_foreground(strokes.levels, strokes.noise, inverted=strokes.is_darker)
    return replace(foreground, removed=removed)


def _departures(gray: Floats) -> tuple[float, float, float]:
    """Return how far a tenth, and a hundredth, of the paper departs from a smooth surface, and the noise.

    All as shares of the paper's level.
    """
    coarse = box_blur(downscale(gray, COARSE_SIDE), 1)
    paper, is_darker = _find_paper(coarse, WINDOW)
    small = downscale(paper, SIDE)
    levels = np.maximum(small, 2 * DARKEST) if is_darker else np.full_like(small, 255)
    tenth, hundredth = np.percentile(np.abs(small - fit_surface(small)) / levels, (90, 99)).tolist()
    return tenth, hundredth, estimate_noise(coarse) / median(levels)


def _find_paper(smooth: Floats, share: float) -> tuple[Floats, bool]:
    """Return the paper (h, w) in a picture with little noise, and whether it is lighter than the strokes on it.

    Args:
        smooth: the picture (h, w).
        share: side of the window, as a share of the picture's shorter side.
    """
    window = max(3, round(share * min(smooth.shape)))
    lighter, darker = close(smooth, window), -close(-smooth, window)
    is_darker = _variation(lighter) <= _variation(darker)  # the other one follows the strokes
    return (lighter if is_darker else darker), is_darker


def _subtract(gray: Floats, paper: Floats, *, is_darker: bool) -> Strokes:
    """Return the strokes of a picture (h, w), given its paper: dark ones as shares of it, light ones by difference."""
    levels = 255 * (1 - gray / np.maximum(paper, DARKEST)) if is_darker else gray - paper
    levels = (levels - levels.dtype.type(median(levels))).astype(np.float32)  # a maximum of noise lies above the paper
    return Strokes(levels, estimate_noise(levels), is_darker)


def _variation(paper: Floats) -> float:
    """Return the sum of the differences between neighbors, in gray levels."""
    return float(np.abs(np.diff(paper, axis=0)).sum() + np.abs(np.diff(paper, axis=1)).sum())
