"""A random hand: strokes with a round pen of random width, slanted, turned, stretched and shaken.

Curves are in a unit square, x to the right and y down.
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from inkling.digit import DIGIT_SIDE, SIDE, Gray
from inkling.vision.placement import bounding_box, place_in_frame
from training.data.pen import Curve, centered

Random = np.random.Generator

OVERSAMPLING = 4
MARGIN = (SIDE - DIGIT_SIDE) // 2
WIDTHS = (0.05, 0.2)
"""Width of the pen as a share of the drawing's longer side, from and to."""
FAINT = 40
"""Gray levels up to this are background."""
MAX_SLANT, MAX_ROTATION, ASPECTS = 0.3, 15, (0.7, 1.3)


def draw_strokes(curves: list[Curve], width: float, blur: float = 0) -> Gray:
    """Return the image (28, 28) of curves drawn with a round pen, placed by MNIST's rule.

    Args:
        curves: paths of the pen (n, 2), in any unit.
        width: width of the pen as a share of the drawing's longer side, 0 to 1.
        blur: standard deviation of a Gaussian blur, in pixels.
    """
    points = np.concatenate(curves)
    low, spans = points.min(axis=0), np.ptp(points, axis=0)
    pen = width * DIGIT_SIDE
    zoom = (DIGIT_SIDE - pen) / max(spans.max(), 1e-6)
    corner = (SIDE - zoom * spans) / 2
    canvas = Image.new("L", (SIDE * OVERSAMPLING, SIDE * OVERSAMPLING))
    draw, radius = ImageDraw.Draw(canvas), pen * OVERSAMPLING / 2
    for curve in curves:
        path = [(x, y) for x, y in (((curve - low) * zoom + corner) * OVERSAMPLING).tolist()]
        draw.line(path, fill=255, width=max(1, round(2 * radius)), joint="curve")
        for x, y in (path[0], path[-1]):
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return finished(canvas, blur)


def finished(canvas: Image.Image, blur: float) -> Gray:
    image = np.asarray(canvas.reduce(OVERSAMPLING).filter(ImageFilter.GaussianBlur(blur)))
    return centered(np.rint(image * (255 / max(1, image.max()))).astype(np.uint8))


def in_random_hand(curves: list[Curve], random: Random) -> Gray:
    """Return the image of curves that are slanted, turned, stretched and shaken, drawn with a pen of random width."""
    turn, slant = np.deg2rad(random.uniform(-MAX_ROTATION, MAX_ROTATION)), random.uniform(-MAX_SLANT / 2, MAX_SLANT)
    shape = np.array([[random.uniform(*ASPECTS), 0.0], [-slant, 1.0]])
    linear = shape @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    moved = [(curve + random.normal(0, 0.02, 2)) @ linear for curve in curves]
    return draw_strokes(moved, random.uniform(*WIDTHS), random.uniform(0, 0.8))


def placed(image: Gray) -> Gray:
    """Return an image (28, 28) placed again by MNIST's rule; one that is blank as it is."""
    box = bounding_box(image > FAINT)
    if box is None:
        return image
    left, top, right, bottom = box
    return place_in_frame(image[top:bottom, left:right])


def circular_arc(center: Curve, radii: Curve, start: float, sweep: float) -> Curve:
    """Return an arc of an ellipse; angles in degrees."""
    angle = np.deg2rad(np.linspace(start, start + sweep, 24))
    return center + np.stack([np.cos(angle), np.sin(angle)], axis=1) * radii


def around(radii: Curve, angles: Curve) -> Curve:
    """Return points (n, 2) at some distances (n,) and angles (n,), in radians, from the origin."""
    points: Curve = np.stack([np.cos(angles), np.sin(angles)], axis=1) * np.asarray(radii)[:, np.newaxis]
    return points
