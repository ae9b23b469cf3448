"""Ones as much of the world writes them, with a flag and sometimes a foot: MNIST, from the USA, has few.

A network that learns from MNIST alone reads most of them as 7, however well it reads MNIST (docs/trials.md).
"""

import numpy as np
from numpy.typing import NDArray

from training.dataset import SIDE, Split

Bytes = NDArray[np.uint8]
Point = NDArray[np.float64]

MOST_LEAN = 20
"""Degrees that a stem may lean to the right, or to the left: with a flag, a one that leans more is a 7 to anybody."""
FLAG_ANGLES = (30, 60)
"""Between a flag and the vertical, degrees. A 7's bar is further from it."""
FLAG_LENGTHS = (0.2, 0.45)
"""As shares of the stem's length; also a foot's, which reaches as far to both sides."""
FOOTED = 0.3
"""Share of them that have a foot, too."""

ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE].astype(np.float64)


def with_flagged_ones(split: Split, share: float, seed: int) -> Split:
    """Return a split with more images at its end: a share of its upright ones, 0 to 1, with a flag drawn at the top."""
    random = np.random.default_rng(seed)
    upright = [i for i in np.flatnonzero(split.labels == 1) if _lean(split.images[i]) <= MOST_LEAN]
    chosen = random.permutation(upright)[: round(share * len(upright))]
    if not len(chosen):
        return split
    flagged = np.stack([flag(image, random) for image in split.images[chosen]])
    labels = np.ones(len(flagged), split.labels.dtype)
    return Split(np.concatenate([split.images, flagged]), np.concatenate([split.labels, labels]))


def flag(one: Bytes, random: np.random.Generator) -> Bytes:
    """Return a one (28, 28) with a flag, and perhaps a foot, as wide as its stem and where MNIST would have put it."""
    ink = one / 255
    top, bottom = _ends(ink)
    length = max(1.0, float(np.hypot(*(bottom - top))))
    width = ink.sum() / length
    angle = np.deg2rad(random.uniform(*FLAG_ANGLES))
    along = np.array([np.cos(angle), -np.sin(angle)]) * random.uniform(*FLAG_LENGTHS) * length  # down and to the left
    ink = np.maximum(ink, _line(top, top + along, width))
    if random.random() < FOOTED:
        half = np.array([random.uniform(-0.1, 0.1), 1]) * random.uniform(*FLAG_LENGTHS) * length
        ink = np.maximum(ink, _line(bottom - half, bottom + half, width))
    return _centred(np.rint(255 * ink).astype(np.uint8))


def _lean(one: Bytes) -> float:
    """Return by how many degrees a stem leans from the vertical, to either side."""
    top, bottom = _ends(one / 255)
    rows, columns = bottom - top
    return float(np.rad2deg(np.arctan2(abs(columns), rows)))


def _ends(ink: NDArray[np.float64]) -> tuple[Point, Point]:
    """Return (row, column) of the middle of a stem's first and of its last row."""
    inked = np.flatnonzero(ink.max(axis=1) > 0.5)
    first, last = (int(inked[0]), int(inked[-1])) if len(inked) else (0, SIDE - 1)
    top, bottom = (float((ink[row] + 1e-9) @ np.arange(SIDE) / (ink[row] + 1e-9).sum()) for row in (first, last))
    return np.array([first, top]), np.array([last, bottom])


def _line(start: Point, end: Point, width: float) -> NDArray[np.float64]:
    """Return a line's ink (28, 28), 0 to 1, with round ends: full up to half its width away, none a pixel further."""
    along = end - start
    rows, columns = ROWS - start[0], COLUMNS - start[1]
    share = np.clip((rows * along[0] + columns * along[1]) / max(along @ along, 1e-9), 0, 1)
    distance = np.hypot(rows - share * along[0], columns - share * along[1])
    ink: NDArray[np.float64] = np.clip(width / 2 + 0.5 - distance, 0, 1)
    return ink


def _centred(image: Bytes) -> Bytes:
    """Return an image (28, 28) moved by whole pixels so that its centre of mass is at (14, 14), as MNIST's are."""
    mass = image.astype(np.float64)
    shift = [int(np.floor(14.5 - (mass * axis).sum() / mass.sum())) for axis in (ROWS, COLUMNS)]
    moved = np.zeros_like(image)
    rows, columns = (slice(max(0, by), SIDE + min(0, by)) for by in shift)
    from_rows, from_columns = (slice(max(0, -by), SIDE + min(0, -by)) for by in shift)
    moved[rows, columns] = image[from_rows, from_columns]
    return moved
