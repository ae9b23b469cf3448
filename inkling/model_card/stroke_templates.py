"""Stroke templates: common ways to write each digit, as strokes of a pen.

They follow what schools teach and what forms show on both sides of the Atlantic: a 1 that is a bare stroke, has a flag,
or a flag and a foot; a 7 with and without a bar; an open and a closed 4; a 2 with and without a loop; a 9 that ends
straight or curls. They were chosen for how people write, before any network had read one.
"""

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

STROKE_TEMPLATES: dict[int, dict[str, str]] = {
    0: {
        "round": "50,0 22,10 4,50 20,90 50,100 80,88 96,50 78,8 50,0",
        "with crossing ends": "60,2 30,6 8,45 14,88 40,100 72,84 88,40 74,6 52,0 40,8",
        "narrow": "48,0 16,22 12,70 40,100 74,86 84,40 66,4 48,2",
        "slanted": "72,10 46,0 18,16 6,55 24,94 56,98 86,72 88,30 64,4",
    },
    1: {
        "bare": "50,0 50,100",
        "bare and slanted": "62,0 50,50 38,100",
        "with a flag": "22,26 22,26 50,0 50,0 50,50 50,100",
        "with a short flag": "30,20 30,20 54,0 54,0 50,60 46,100",
        "with a flag and a foot": "24,24 24,24 50,0 50,0 50,100 | 24,100 76,100",
    },
    2: {
        "with a flat foot": "8,24 24,4 54,0 80,16 80,38 50,68 8,100 8,100 50,98 90,100",
        "with a loop": "10,18 38,0 74,8 82,32 62,62 28,88 10,94 14,78 34,80 60,96 92,92",
        "with a square foot": "6,30 30,2 70,4 78,34 46,72 6,98 6,98 88,98",
        "with a curved foot": "14,12 44,0 76,14 70,42 38,76 6,98 6,98 30,90 62,98 90,90",
    },
    3: {
        "pointed": "12,12 40,0 74,8 78,30 42,46 42,46 80,58 86,82 50,100 10,88",
        "small above": "8,20 34,0 70,10 66,36 38,46 38,46 74,58 78,86 44,100 8,86",
        "with a flat top": "10,2 10,2 80,2 80,2 40,42 40,42 80,56 84,84 48,100 8,88",
        "rounded": "16,8 52,0 76,18 62,40 40,48 66,52 86,72 66,96 32,100 6,88",
    },
    4: {
        "open, bar last": "22,0 12,32 6,58 6,58 50,56 92,56 | 66,16 64,60 60,100",
        "closed, bar over the stem": "62,0 62,0 6,66 6,66 96,66 | 64,0 62,100",
        "closed, short stem": "58,0 58,0 4,62 4,62 92,62 | 68,34 64,100",
        "open and round": "16,4 14,34 24,52 60,48 76,34 | 80,2 76,50 70,100",
        "open and square": "10,2 8,50 8,50 86,48 | 80,0 78,100",
        "in one stroke": "70,100 70,100 70,0 70,0 8,64 8,64 96,64",
    },
    5: {
        "in one stroke": "80,0 80,0 24,2 24,2 18,42 18,42 52,34 82,54 78,86 46,100 10,90",
        "with the top last": "22,4 22,4 18,44 18,44 56,36 86,62 70,94 34,100 6,86 | 22,4 82,2",
        "slanted": "86,2 86,2 34,4 34,4 22,40 52,40 74,60 66,90 34,100 4,90",
        "rounded": "78,4 50,2 26,8 18,44 44,38 76,54 76,86 44,100 8,88",
    },
    6: {
        "round": "66,0 34,20 10,58 14,88 44,100 74,86 76,64 50,52 22,62 10,76",
        "with a large bowl": "50,0 22,30 8,70 24,98 60,98 78,76 62,56 32,60 14,82",
        "with a hook": "80,6 48,4 20,34 8,72 26,98 62,98 82,76 64,54 34,58 14,74",
        "straight-backed": "36,0 22,40 16,78 36,100 66,94 74,70 54,58 30,68 22,86",
    },
    7: {
        "plain": "8,4 8,4 84,2 84,2 58,48 40,100",
        "with a bar": "6,6 6,6 82,4 82,4 52,50 36,100 | 28,52 80,48",
        "with a serif": "8,20 8,20 12,4 12,4 50,6 88,0 88,0 60,44 46,100",
        "curved": "4,4 44,8 80,2 66,36 48,70 44,100",
        "straight with a bar": "10,2 10,2 86,2 86,2 34,100 | 34,50 86,52",
    },
    8: {
        "from the upper right": "76,14 44,0 18,18 32,40 66,58 82,82 50,100 16,84 30,60 64,40 78,18 70,8",
        "from the middle": "50,46 20,30 30,4 66,2 80,26 50,46 14,68 22,96 70,98 84,70 50,46",
        "from the top": "52,0 22,12 28,38 60,54 78,80 50,100 18,82 34,56 68,36 74,12 52,0",
        "of two rings": "50,0 24,10 24,34 50,44 76,34 76,10 50,0 | 50,44 18,58 16,88 50,100 84,88 82,58 50,44",
    },
    9: {
        "with a curved stem": "78,20 52,0 20,14 14,40 42,52 72,38 80,12 78,12 76,60 66,100",
        "with a straight stem": "76,8 42,0 14,22 24,48 60,44 78,14 78,14 74,100",
        "with a hook": "78,16 46,0 16,20 24,48 58,46 80,20 82,56 66,92 36,100 14,88",
        "slim": "74,24 50,2 22,16 22,42 48,48 72,28 78,4 78,4 70,54 52,100",
    },
}
"""The templates of each digit by name: strokes separated by |, each of points x,y in percent of the digit's height,
y downward.

A stroke runs smoothly through its points, and turns sharply at a point that is given twice.
"""


def parse_strokes(template: str) -> list[list[Points]]:
    """Return the strokes of a template, each as its smooth pieces: points (n, 2) in heights of the digit."""
    strokes = []
    for stroke in template.split(" | "):
        points = [[float(number) / 100 for number in pair.split(",")] for pair in stroke.split()]
        pieces: list[list[list[float]]] = [[]]
        for point in points:
            if pieces[-1] and pieces[-1][-1] == point:
                pieces.append([])
            pieces[-1].append(point)
        strokes.append([np.array(piece) for piece in pieces if len(piece) > 1])
    return strokes


def smooth(pieces: list[Points], steps: int = 10) -> Points:
    """Return the path (m, 2) of a stroke: Catmull-Rom splines through the points of its pieces, `steps` per point.

    Uniform Catmull-Rom (Catmull and Rom 1974): between p1 and p2 the tangents are half of p2 - p0 and of p3 - p1.
    """
    t = np.linspace(0, 1, steps, endpoint=False)[:, np.newaxis]
    path = []
    for points in pieces:
        before, after = 2 * points[0] - points[1], 2 * points[-1] - points[-2]
        padded = np.vstack([before, points, after])
        for p0, p1, p2, p3 in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
            bend = p0 - 2.5 * p1 + 2 * p2 - p3 / 2
            path.append(p1 + t * (p2 - p0) / 2 + t**2 * bend + t**3 * (p3 - p0 + 3 * (p1 - p2)) / 2)
        path.append(points[-1:])
    return np.concatenate(path)
