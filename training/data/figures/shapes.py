"""Shapes: polygons, stars, lattices, graphs, and filled ones."""

import numpy as np
from PIL import Image, ImageDraw

from inkling.digit import SIDE, Gray, Images
from inkling.model_card.stroke_templates import smooth
from training.data.figures.glyphs import random_stroke
from training.data.figures.hand import OVERSAMPLING, Random, around, circular_arc, in_random_hand, placed
from training.data.pen import Curve


def shape(random: Random, digits: Images) -> Gray:
    """Return a polygon or a star of 3 to 8 corners, an arrow, or a cross; or an outline with marks inside."""
    kind, corners = random.integers(4), int(random.integers(3, 9))
    start = random.uniform(0, 6.3)
    if kind == 0:
        corners = 3 + corners % 2  # more corners make a ring
        angle = start + 2 * np.pi * np.arange(corners + 1) / corners
        return in_random_hand([np.stack([np.cos(angle), np.sin(angle)], 1)], random)
    if kind == 1:
        angle = start + np.pi * np.arange(2 * corners + 1) / corners
        radius = np.where(np.arange(len(angle)) % 2, random.uniform(0.3, 0.6), 1)[:, np.newaxis]
        return in_random_hand([np.stack([np.cos(angle), np.sin(angle)], 1) * radius], random)
    if kind == 2:
        count = int(random.integers(3, 7))
        ends = start + 2 * np.pi * np.arange(count) / count
        rays = [np.array([(0, 0), (np.cos(a), np.sin(a))]) * random.uniform(0.5, 1) for a in ends]
        return in_random_hand(rays, random)
    outline = circular_arc(np.array([0.5, 0.5]), np.array([0.5, random.uniform(0.35, 0.5)]), 0, 360)
    if random.random() < 0.5:
        outline = np.array([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)], np.float64)
    marks = [0.2 + 0.6 * random_stroke(random) for _ in range(random.integers(1, 4))]
    return in_random_hand([outline, *marks], random)


def graph(random: Random, digits: Images) -> Gray:
    """Return random points, joined by straight lines to a tree, and a few more lines between them."""
    count = int(random.integers(6, 11))
    points = random.uniform(0, 1, (count, 2)) * (random.uniform(0.5, 1), 1)
    curves = []
    for i in range(1, count):
        distances = ((points[:i] - points[i]) ** 2).sum(axis=1)
        other = int(distances.argmin() if random.random() < 0.7 else random.integers(i))
        curves.append(points[[i, other]])
    curves += [points[random.choice(count, 2, replace=False)] for _ in range(random.integers(3))]
    return in_random_hand(curves, random)


def outline(random: Random, digits: Images) -> Gray:
    """Return one closed or open line around a middle, with corners or round, sometimes a second one inside."""
    curves = []
    for reach in (1, *[random.uniform(0.3, 0.6)] * int(random.random() < 0.4)):
        points = _corners(random, (3, 10)) * reach
        if random.random() < 0.75:
            points = np.concatenate([points, points[:1]])
        curves.append(points if random.random() < 0.6 else smooth([points], 6))
    return in_random_hand(curves, random)


def _corners(random: Random, counts: tuple[int, int]) -> Curve:
    """Return points (n, 2) at random distances from the origin, 0.35 to 1, in the order of their directions."""
    count = random.integers(*counts)
    angles = np.sort(random.uniform(0, 2 * np.pi, count))
    return around(random.uniform(0.35, 1, count), angles)


def lattice(random: Random, digits: Images) -> Gray:
    """Return level and upright lines, evenly spaced, some short: combs, ladders, gates, grids."""
    width = random.uniform(0.5, 1.3)
    columns, rows = [(1, 2), (2, 1), *((i, j) for i in (2, 3, 4) for j in (1, 2, 3, 4))][random.integers(14)]
    curves = []
    for count, across, along, is_upright in ((columns, width, 1, True), (rows, 1, width, False)):
        places = across * (np.arange(count) + 0.5) / count
        if random.random() < 0.5:
            places = np.linspace(0, across, count)
        for place in places:
            start, end = np.sort(random.uniform(0, along, 2)) if random.random() < 0.3 else (0, along)
            line = np.array([(place, start), (place, max(end, start + 0.3))])
            curves.append(line if is_upright else line[:, ::-1])
    return in_random_hand(curves, random)


def arcs(random: Random, digits: Images) -> Gray:
    """Return two to four arcs of ellipses, and up to three dots."""
    curves = [
        circular_arc(
            random.uniform(0, 1, 2), random.uniform(0.1, 0.5, 2), random.uniform(0, 360), random.uniform(80, 360)
        )
        for _ in range(random.integers(2, 5))
    ]
    curves += [random.uniform(0, 1, 2) + np.array([(0, 0), (0.02, 0)]) for _ in range(random.integers(4))]
    return in_random_hand(curves, random)


def symmetric(random: Random, digits: Images) -> Gray:
    """Return one to three strokes and their copies, turned about a point."""
    count = int(random.integers(2, 6))
    angles = 2 * np.pi * np.arange(count) / count
    strokes = [random_stroke(random) - random.uniform(0, 0.5, 2) for _ in range(random.integers(1, 4))]
    turns = [np.array([(np.cos(a), np.sin(a)), (-np.sin(a), np.cos(a))]) for a in angles]
    return in_random_hand([stroke @ turn for stroke in strokes for turn in turns], random)


def filled_outline(random: Random, digits: Images) -> Gray:
    """Return an outline, and one to three filled or empty spots on it or beside it."""
    canvas = Image.new("L", (SIDE * OVERSAMPLING, SIDE * OVERSAMPLING))
    draw, middle = ImageDraw.Draw(canvas), SIDE * OVERSAMPLING / 2
    corners = _corners(random, (4, 10))
    corners = np.concatenate([corners, corners[:1]])
    if random.random() < 0.5:
        corners = smooth([corners], 6)
    path = [(x, y) for x, y in (middle + 40 * corners).tolist()]
    draw.line(path, fill=255, width=int(random.integers(4, 14)), joint="curve")
    for _ in range(random.integers(1, 4)):
        (x, y), (width, height) = random.uniform(24, 88, 2), random.uniform(4, 16, 2)
        spot = draw.ellipse if random.random() < 0.5 else draw.rectangle
        spot((x - width, y - height, x + width, y + height), fill=255 if random.random() < 0.6 else 0)
    return placed(np.asarray(canvas.reduce(OVERSAMPLING)))
