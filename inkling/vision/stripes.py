"""The removal of bands, ruled lines and frames that cross a picture from edge to edge.

For pictures of MNIST's size: its digits do not reach the outer rows and columns, so these show the background.
"""

import numpy as np
from numpy.typing import NDArray

from inkling.digit import Floats

MARGIN = 3
"""Outer rows and columns examined; MNIST's digits mostly leave 4 free."""
MIN_STEP = 40
"""Gray levels between a stripe and its neighbor."""
MIN_EVENNESS = 0.4
"""Share of a stripe's pixels that have its level: strokes cover fewer of the others. Two blots are no stripe."""
CLEAREST_EVENNESS = 0.6
"""The same of the clearest stripe: splashes that reach two edges are less even, and strokes leave one stripe clear."""
MIN_HEADROOM = 40
"""Gray levels that a stripe must leave between itself and black or white for a stroke to be visible on it."""


def remove_stripes(gray: Floats, noise: float) -> Floats | None:
    """Return the foreground (h, w), 0 background to 255, of a picture with stripes; None if it has none.

    The polarity is decided per row or column: on a stripe, lighter or darker, every deviation from its level is
    foreground, so inverted bands come out right. If only a frame was found, it is decided for the whole picture.
    Where a stripe leaves no headroom for strokes, they are interpolated from its sides.
    """
    cleared = _remove_frame(gray)
    foreground: Floats | None = None
    for is_rows in (False, True):
        picture = cleared if foreground is None else foreground
        found = _remove_vertical_stripes(picture.T if is_rows else picture, noise)
        if found is not None:
            foreground = found.T if is_rows else found
    if foreground is None and cleared is not gray:
        background = float(np.median(cleared))
        lighter, darker = np.maximum(cleared - background, 0), np.maximum(background - cleared, 0)
        foreground = lighter if (lighter**2).sum() >= (darker**2).sum() else darker
    return foreground


def _remove_frame(gray: Floats) -> Floats:
    """Return the picture with the lines along its edges set to the level inside them; the same array if none is."""
    cleared = gray
    for turn in range(4):
        side = np.rot90(cleared, turn)
        levels = np.median(side[: MARGIN + 1], axis=1)
        evenness = (np.abs(side[: MARGIN + 1] - levels[:, None]) < MIN_STEP / 2).mean(axis=1)
        inner = float(levels[MARGIN])
        lines = [i for i in range(MARGIN) if abs(levels[i] - inner) > MIN_STEP and evenness[i] > 0.75]
        if lines and evenness[MARGIN] > 0.6:
            if cleared is gray:
                cleared = gray.copy()
            np.rot90(cleared, turn)[: max(lines) + 1] = inner
    return cleared


def _remove_vertical_stripes(gray: Floats, noise: float) -> Floats | None:
    top, bottom = np.median(gray[:MARGIN], axis=0), np.median(gray[-MARGIN:], axis=0)
    limit = max(MIN_STEP, 3 * noise)
    is_sure = np.abs(top - bottom) < limit / 2
    if is_sure.sum() < len(is_sure) / 2:
        return None
    columns = np.arange(gray.shape[1])
    background = (top + bottom) / 2
    evenness = (np.abs(gray - background) < limit / 2).mean(axis=0)
    departs = np.abs(background - np.median(background)) >= limit
    is_sure &= (evenness > MIN_EVENNESS) | ~departs
    if evenness[is_sure & departs].max(initial=0) < CLEAREST_EVENNESS:
        return None
    if is_sure.sum() < len(is_sure) / 2:
        return None
    if np.abs(np.diff(background[is_sure])).max() < limit:
        return None
    for column in columns[~is_sure]:  # where a stroke reaches one margin, the other margin shows the background
        ends = np.array([top[column], bottom[column]])
        background[column] = ends[np.abs(ends[:, np.newaxis] - background[is_sure]).min(axis=1).argmin()]
    lighter = np.maximum(gray - background - 3 * noise, 0).sum(axis=0)
    darker = np.maximum(background - gray - 3 * noise, 0).sum(axis=0)
    is_darker = darker > lighter
    headroom = np.where(is_darker, background, 255 - background)
    difference = np.where(is_darker, background - gray, gray - background)
    foreground = difference * (255 / np.maximum(headroom, MIN_HEADROOM))
    is_stripe = np.abs(background - np.median(background)) > MIN_STEP
    is_lost = ((headroom < MIN_HEADROOM) | (np.maximum(darker, lighter) < 40)) & is_stripe
    is_lost &= ~_is_in_wide_run(is_lost)
    if is_lost.any() and not is_lost.all():
        for row in foreground:
            row[is_lost] = np.interp(columns[is_lost], columns[~is_lost], row[~is_lost])
    levels: Floats = np.clip(foreground, 0, 255).astype(np.float32)
    return levels


def _is_in_wide_run(is_lost: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which of the lost columns are in a run of more than 3, which is too wide to interpolate."""
    runs = np.convolve(is_lost, np.ones(4), mode="full") == 4
    wide = np.zeros_like(is_lost)
    for end in np.flatnonzero(runs):
        wide[max(end - 3, 0) : end + 1] = True
    return wide
