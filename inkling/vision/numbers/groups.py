"""Groups of strokes that touch or nearly touch, and the pieces into which they may be divided."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from inkling.digit import Box, Gray, Mask
from inkling.errors import NoDigitError
from inkling.vision.numbers.cuts import find_seams
from inkling.vision.numbers.page import Group, Piece, union_of_boxes
from inkling.vision.numbers.stroke_maps import StrokeMap
from inkling.vision.numbers.strokes import Strokes
from inkling.vision.placement import bounding_box, place_in_frame
from inkling.vision.segmentation import component_boxes

NEAR = 0.12
"""Of the digits' height: strokes closer than this may belong to one digit."""
MAX_SPAN = 12
"""Atoms of a digit, at most."""
MAX_ATOMS = 255
"""Atoms of a group, at most."""
MAX_ASPECT_RATIO = 1.6
"""Width of a digit of several atoms, at most, over its height or that of the line's digits, whichever is larger."""
MIN_DEPTH = 1e-3
"""Of a cut, as a share of the digits' height: it crosses at least a corner."""
FRINGE = 0.08
"""Of the digits' height: how far faint foreground around a stroke belongs to it."""


@dataclass(frozen=True)
class _Cluster:
    """Neighbors that may be one digit, or several."""

    digits: Strokes
    """From left to right."""
    parts: Strokes
    """Lower components."""
    owners: NDArray[np.intp]
    """Of the parts: the index of the digit to which each belongs."""


def divide_line(
    foreground: StrokeMap, digits: Strokes, parts: Strokes, height: float
) -> list[tuple[Group, list[Gray]]]:
    """Return the groups of a line, from left to right, each with the images of its pieces.

    Args:
        foreground: of the page.
        digits: the line's components that are as high as digits, from left to right.
        parts: its other components that are no marks; those near a digit belong to it.
        height: of the line's digits, in pixels.
    """
    return [_divide(foreground, cluster, height) for cluster in _clusters(digits, parts, height)]


def _clusters(digits: Strokes, parts: Strokes, height: float) -> list[_Cluster]:
    gaps = digits.boxes[1:, 1] - np.maximum.accumulate(digits.boxes[:, 3])[:-1]
    starts = np.concatenate([[0], np.flatnonzero(gaps > NEAR * height) + 1, [len(digits.numbers)]])
    distances = np.maximum(
        digits.boxes[:, np.newaxis, :2] - parts.boxes[:, 2:], parts.boxes[:, :2] - digits.boxes[:, np.newaxis, 2:]
    ).max(axis=2)  # (digits, parts)
    nearest = distances.argmin(axis=0)
    is_near = distances.min(axis=0) <= NEAR * height
    clusters = []
    for start, end in pairwise(starts):
        mine = is_near & (nearest >= start) & (nearest < end)
        clusters.append(_Cluster(digits.select(np.arange(start, end)), parts.select(mine), nearest[mine] - start))
    return clusters


def _divide(foreground: StrokeMap, cluster: _Cluster, height: float) -> tuple[Group, list[Gray]]:
    fringe = max(1, round(FRINGE * height))
    boxes = np.concatenate([cluster.digits.boxes, cluster.parts.boxes])
    top, left = np.maximum(boxes[:, :2].min(axis=0) - fringe, 0)
    bottom, right = boxes[:, 2:].max(axis=0) + fringe
    window = np.s_[top:bottom, left:right]
    joints, owners = _atoms(cluster.digits.labels[window], foreground.levels[window], cluster, height)
    atoms = len(joints) + 1
    owners = _with_fringe(owners, foreground.faint[window], fringe)
    atom_boxes = component_boxes(owners.astype(np.int32), atoms)
    pieces, images = [], []
    for first in range(atoms):
        for end in range(first + 1, min(atoms, first + MAX_SPAN) + 1):
            y0, x0, y1, x1 = _union(atom_boxes[first:end])
            if end > first + 1 and x1 - x0 > MAX_ASPECT_RATIO * max(height, y1 - y0):
                break
            owned, levels = owners[y0:y1, x0:x1], foreground.levels[window][y0:y1, x0:x1]
            pieces.append(Piece(first, end, (x0 + int(left), y0 + int(top), x1 + int(left), y1 + int(top))))
            images.append(place_in_frame(np.where((owned > first) & (owned <= end), levels, 0)))
    return Group(union_of_boxes([piece.box for piece in pieces]), "", tuple(joints), tuple(pieces)), images


def _atoms(labels: NDArray[np.int32], levels: Gray, cluster: _Cluster, height: float) -> tuple[list[float], Gray]:
    """Return the joints between the atoms of a cluster, as `Group` has them, and each pixel's atom plus 1, or 0."""
    owners = np.zeros(labels.shape, np.uint8)
    columns = np.arange(labels.shape[1])
    digit_of = np.full(int(labels.max()) + 1, -1)
    digit_of[cluster.digits.numbers + 1] = np.arange(len(cluster.digits.numbers))
    digit_of[cluster.parts.numbers + 1] = cluster.owners
    members = digit_of[labels]  # (h, w)
    joints: list[float] = []
    for i, number in enumerate(cluster.digits.numbers):
        mask = labels == number + 1
        joints += [0.0] if i else []
        left, top, right, bottom = _box(mask)
        seams = find_seams(np.where(mask, levels, 0)[top:bottom, left:right], height)
        # A part above or below the component is divided by straight lines.
        paths = np.pad(left + seams.columns, ((0, 0), (top, len(labels) - bottom)), mode="edge")  # (n, h)
        owned = np.full(labels.shape, len(joints) + 1)
        for path in paths:
            owned += path[:, np.newaxis] <= columns
        joints += np.maximum(seams.depths, MIN_DEPTH).tolist()
        if len(joints) >= MAX_ATOMS:
            raise NoDigitError(
                f"the picture shows strokes that touch, or nearly touch, in more than {MAX_ATOMS} places"
            )
        owners = np.where(members == i, owned.astype(np.uint8), owners)
    return joints, owners


def _with_fringe(owners: Gray, faint: Mask, fringe: int) -> Gray:
    """Return the owners (h, w) of all foreground: faint foreground goes to the atom next to it, step by step."""
    for _ in range(fringe if faint.any() else 0):
        grown = np.asarray(Image.fromarray(owners).filter(ImageFilter.MaxFilter(3)))
        owners = np.where((owners == 0) & faint, grown, owners)
    return owners


def _union(boxes: NDArray[np.intp]) -> tuple[int, int, int, int]:
    """Return top, left, bottom and right of the box around boxes (n, 4)."""
    top, left = boxes[:, :2].min(axis=0)
    bottom, right = boxes[:, 2:].max(axis=0)
    return int(top), int(left), int(bottom), int(right)


def _box(mask: Mask) -> Box:
    box = bounding_box(mask)
    assert box is not None  # noqa: S101  components and atoms have pixels
    return box
