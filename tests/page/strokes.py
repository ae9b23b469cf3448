"""Strokes of the ten digits for a mouse or a finger: points in a box of 1 by 1, from the top left."""

import math
from collections.abc import Iterator
from itertools import product

Point = tuple[float, float]
Stroke = list[Point]

SLIMNESS = 0.62
"""Width of a digit divided by its height."""


def arc(center: Point, rx: float, ry: float, start: float, end: float) -> Stroke:
    """Return points on an ellipse between two angles: degrees, clockwise from the right."""
    count = max(4, round(abs(end - start) / 30))
    angles = [math.radians(start + (end - start) * i / count) for i in range(count + 1)]
    return [(center[0] + rx * math.cos(angle), center[1] + ry * math.sin(angle)) for angle in angles]


DIGITS: dict[int, list[Stroke]] = {
    0: [arc((0.5, 0.5), 0.46, 0.5, -70, -430)],
    1: [[(0.3, 0.18), (0.54, 0.0), (0.53, 0.5), (0.52, 1.0)]],
    2: [[*arc((0.5, 0.29), 0.4, 0.29, 195, 385), (0.6, 0.65), (0.1, 0.98), (0.5, 0.97), (0.95, 0.98)]],
    3: [[*arc((0.42, 0.25), 0.4, 0.25, 205, 440), *arc((0.42, 0.74), 0.46, 0.26, -85, 150)]],
    4: [[(0.42, 0.0), (0.08, 0.56), (0.5, 0.57), (0.98, 0.56)], [(0.74, 0.22), (0.72, 0.6), (0.7, 1.0)]],
    5: [[(0.9, 0.0), (0.5, 0.01), (0.24, 0.02), (0.18, 0.42), *arc((0.46, 0.69), 0.44, 0.31, 235, 505)]],
    6: [[(0.72, 0.0), (0.4, 0.2), (0.14, 0.5), *arc((0.5, 0.71), 0.4, 0.29, 190, -165)]],
    7: [[(0.04, 0.03), (0.5, 0.02), (0.96, 0.0), (0.64, 0.45), (0.4, 1.0)]],
    8: [
        [
            *arc((0.5, 0.24), 0.36, 0.24, -60, -270),
            *arc((0.5, 0.74), 0.44, 0.26, -90, 270),
            *arc((0.5, 0.24), 0.36, 0.24, 90, -60),
        ]
    ],
    9: [[*arc((0.48, 0.27), 0.4, 0.27, -20, -370), (0.88, 0.3), (0.82, 0.65), (0.68, 1.0)]],
}

POSITIONS = {
    "middle": (0.5, 0.5),
    "top left": (0, 0),
    "top right": (1, 0),
    "bottom left": (0, 1),
    "bottom right": (1, 1),
}
SIZES = {"small": 0.3, "medium": 0.55, "large": 0.85}
EDGE = 0.05
"""Margin between a digit in a corner and the pad's edge, as a share of the pad's side."""


def everywhere() -> Iterator[tuple[int, str, str]]:
    """Yield every digit at every position in every size: 150 drawings."""
    return product(DIGITS, POSITIONS, SIZES)


def placed(digit: int, position: str = "middle", size: str = "medium") -> list[Stroke]:
    """Return a digit's strokes in shares of the pad's side."""
    height = SIZES[size]
    width = SLIMNESS * height
    across, down = POSITIONS[position]
    left = EDGE + across * (1 - 2 * EDGE - width)
    top = EDGE + down * (1 - 2 * EDGE - height)
    return [[(left + x * width, top + y * height) for x, y in stroke] for stroke in DIGITS[digit]]
