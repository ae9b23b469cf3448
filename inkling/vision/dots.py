"""The dots of dotted paper: small marks, each about as far from its two nearest ones."""

import numpy as np

from inkling.digit import Mask
from inkling.vision.connected_components import label
from inkling.vision.segmentation import component_boxes

MIN_COUNT, MAX_COUNT = 8, 400
"""Marks that are looked at: fewer are specks, and more are noise."""
EVEN = 0.25
"""A distance is like the others if it differs from their median by at most this share of it."""
SHARE = 0.7
"""Share of the marks whose distances must be alike; those of marks at random places are for less than a third."""


def has_dots(marks: Mask, digit: Mask) -> bool:
    """Return whether marks (h, w) beside a digit lie on a grid, as the dots of paper do, and not anywhere."""
    labels, count = label(marks)
    if not MIN_COUNT <= count <= MAX_COUNT:
        return False
    boxes = component_boxes(labels, count)
    boxes = boxes[~np.isin(np.arange(1, count + 1), labels[digit])]
    count = len(boxes)
    if count < MIN_COUNT:
        return False
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2  # (count, 2)
    distances = np.hypot(*(centers[:, np.newaxis] - centers).transpose(2, 0, 1))  # (count, count)
    nearest = np.partition(distances + np.diag(np.full(count, np.inf)), 1, axis=1)[:, :2]  # (count, 2)
    median = np.median(nearest)
    return bool((np.abs(nearest - median) <= EVEN * median).all(axis=1).mean() >= SHARE)
