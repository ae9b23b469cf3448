"""Bands, rulings and frames that cross a picture from edge to edge, taken away where they are clear.

For pictures the size of MNIST's: their digits keep off the outer rows and columns, so that these tell the ground.
"""

import numpy as np
from numpy.typing import NDArray

from inkling.digit import Floats

MARGIN = 3
"""Outer rows and columns looked at; MNIST's digits mostly keep 4 free."""
JUMP = 40
"""Gray levels between a stripe and its neighbor."""
HEADROOM = 40
"""Gray levels that a stripe must leave for ink to show on it."""


def remove_stripes(gray: Floats, noise: float) -> Floats | None:
    """Return the ink (h, w), 0 ground to 255, of a picture with stripes; None if it has none.

    On a stripe, lighter or darker, whatever differs from it is ink: so bands that are inverted come right too. Where a
    stripe leaves no room for ink, the ink is carried on from its sides.
    """
    cleared = _without_frame(gray)
    ink: Floats | None = None
    for is_rows in (False, True):
        picture = cleared if ink is None else ink
        found = _without_columns(picture.T if is_rows else picture, noise)
        if found is not None:
            ink = found.T if is_rows else found
    if ink is None and cleared is not gray:
        ground = float(np.median(cleared))
        light, dark = np.maximum(cleared - ground, 0), np.maximum(ground - cleared, 0)
        ink = light if (light**2).sum() >= (dark**2).sum() else dark
    return ink


def _without_frame(gray: Floats) -> Floats:
    """Return the picture with the lines along its edges given the level of what lies inside them."""
    cleared = gray
    for turn in range(4):
        side = np.rot90(cleared, turn)
        levels = np.median(side[: MARGIN + 1], axis=1)
        evenness = (np.abs(side[: MARGIN + 1] - levels[:, None]) < JUMP / 2).mean(axis=1)
        inner = float(levels[MARGIN])
        lines = [i for i in range(MARGIN) if abs(levels[i] - inner) > JUMP and evenness[i] > 0.75]
        if lines and evenness[MARGIN] > 0.6:
            if cleared is gray:
                cleared = gray.copy()
            np.rot90(cleared, turn)[: max(lines) + 1] = inner
    return cleared


def _without_columns(gray: Floats, noise: float) -> Floats | None:
    top, bottom = np.median(gray[:MARGIN], axis=0), np.median(gray[-MARGIN:], axis=0)
    limit = max(JUMP, 3 * noise)
    is_sure = np.abs(top - bottom) < limit / 2
    if is_sure.sum() < len(is_sure) / 2:
        return None
    columns = np.arange(gray.shape[1])
    ground = (top + bottom) / 2
    if np.abs(np.diff(ground[is_sure])).max() < limit:
        return None
    for column in columns[~is_sure]:  # where ink reaches one margin, the other tells the ground
        ends = np.array([top[column], bottom[column]])
        ground[column] = ends[np.abs(ends[:, np.newaxis] - ground[is_sure]).min(axis=1).argmin()]
    lighter = np.maximum(gray - ground - 3 * noise, 0).sum(axis=0)
    darker = np.maximum(ground - gray - 3 * noise, 0).sum(axis=0)
    is_dark = darker > lighter
    headroom = np.where(is_dark, ground, 255 - ground)
    ink = np.where(is_dark, ground - gray, gray - ground) * (255 / np.maximum(headroom, HEADROOM))
    is_lost = ((headroom < HEADROOM) | (np.maximum(darker, lighter) < 40)) & (np.abs(ground - np.median(ground)) > JUMP)
    is_lost &= ~_is_wide(is_lost)
    if is_lost.any() and not is_lost.all():
        for row in ink:
            row[is_lost] = np.interp(columns[is_lost], columns[~is_lost], row[~is_lost])
    levels: Floats = np.clip(ink, 0, 255).astype(np.float32)
    return levels


def _is_wide(is_lost: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which of the columns lost lie in a run of more than 3: too many to carry ink across."""
    runs = np.convolve(is_lost, np.ones(4), mode="full") == 4
    wide = np.zeros_like(is_lost)
    for end in np.flatnonzero(runs):
        wide[max(end - 3, 0) : end + 1] = True
    return wide
