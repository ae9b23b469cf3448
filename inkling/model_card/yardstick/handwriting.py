"""Handwritten digits of any height: scanned ones of MNIST, and ones drawn as strokes."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from inkling.digit import Floats, Gray
from inkling.mnist import Split
from inkling.model_card.drawings import render, vary
from inkling.model_card.image_ops import to_floats
from inkling.model_card.stroke_templates import STROKE_TEMPLATES, Points, parse_strokes, smooth
from inkling.vision.placement import bounding_box

FAINT = 40
"""Gray levels of a scanned digit up to here are its blurred edge."""


@dataclass(frozen=True)
class ScannedDigit:
    """An image of MNIST, enlarged until its edges are as sharp as a pen's."""

    label: int
    image: Gray  # (28, 28), 0 background to 255 foreground

    def coverage(self, height: int) -> Floats:
        """Return the share of each pixel that the strokes cover, (height, width), cropped to the digit."""
        box = bounding_box(self.image > FAINT) or (0, 0, *self.image.shape)
        left, top, right, bottom = box
        crop = Image.fromarray(self.image[top:bottom, left:right])
        width = max(2, round(height * crop.width / crop.height))
        large = np.asarray(crop.resize((width, height), Image.Resampling.BICUBIC), np.float32) / 255
        steepness = np.clip(height / 40, 1, 5)
        sharp: Floats = np.clip((large - 0.45) * steepness + 0.45, 0, 1).astype(np.float32)
        return sharp


@dataclass(frozen=True)
class DrawnDigit:
    """Strokes of a round brush, in random handwriting."""

    label: int
    paths: tuple[Points, ...]
    brush: float  # width of the stroke, as a share of the digit's height

    @classmethod
    def of(cls, label: int, random: np.random.Generator) -> "DrawnDigit":
        """Return a digit of a random template and handwriting, with a brush of 0.06 to 0.16 of its height."""
        templates = list(STROKE_TEMPLATES[label].values())
        strokes = parse_strokes(templates[random.integers(len(templates))])
        paths = vary([smooth(stroke) for stroke in strokes], random)
        return cls(label, tuple(paths), float(random.uniform(0.06, 0.16)))

    def coverage(self, height: int) -> Floats:
        """Return the share of each pixel that the strokes cover, (height, width), cropped to the digit."""
        return stroke_coverage(list(self.paths), height, self.brush)


Digit = ScannedDigit | DrawnDigit


def mixed_digits(scanned: Split, count: int, seed: int) -> list[Digit]:
    """Return `count` digits: every second one scanned, from seeded places of the split, the others drawn."""
    order = np.random.default_rng([seed, 0]).permutation(len(scanned))
    digits: list[Digit] = []
    for i in range(count):
        if i % 2:
            digits.append(DrawnDigit.of(i // 2 % 10, np.random.default_rng([seed, 1, i])))
        else:
            place = order[i // 2 % len(order)]
            digits.append(ScannedDigit(int(scanned.labels[place]), scanned.images[place]))
    return digits


def stroke_coverage(paths: list[Points], height: int, brush: float) -> Floats:
    """Return the share of each pixel that strokes cover, (height, width), for a brush of a share of the height."""
    points = np.concatenate(paths)
    low, spans = points.min(axis=0), np.maximum(np.ptp(points, axis=0), 1e-3)
    stroke = max(1.2, brush * height)
    zoom = (height - stroke) / spans[1]
    width = max(2, round(float(zoom * spans[0] + stroke)))
    placed = [(path - low) * zoom + stroke / 2 for path in paths]
    return to_floats(render(placed, stroke / 2, (width, height)))
