"""Digits for the benchmarks: seeded synthetic ones, and MNIST where it is available."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from inkling.digit import DIGIT_SIDE, SIDE, Gray, Images
from inkling.mnist import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS, idx_bytes
from inkling.model_card.drawings import render, vary
from inkling.model_card.stroke_templates import STROKE_TEMPLATES, parse_strokes, smooth

BRUSH_RADIUS = 1.0
"""In pixels, of 28: as wide as MNIST's own strokes."""


def make_digits(count: int, seed: int) -> tuple[Images, Images]:
    """Return images (count, 28, 28) of stroke templates in random handwriting, and labels (count,): 0 to 9 in turn."""
    random = np.random.default_rng(seed)
    labels = (np.arange(count) % 10).astype(np.uint8)
    return np.stack([_draw(int(label), random) for label in labels]), labels


def write_mnist(folder: Path, train: int = 2000, test: int = 500) -> Path:
    """Write the four IDX files of a small synthetic data set into `folder`, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for images, labels, count, seed in ((TRAIN_IMAGES, TRAIN_LABELS, train, 1), (TEST_IMAGES, TEST_LABELS, test, 2)):
        pixels, digits = make_digits(count, seed)
        (folder / images).write_bytes(idx_bytes(pixels))
        (folder / labels).write_bytes(idx_bytes(digits))
    return folder


@contextmanager
def mnist_dir() -> Iterator[tuple[Path, str]]:
    """Yield the folder of MNIST's four files that INKLING_MNIST_DIR names, or of synthetic ones, and their name."""
    if folder := os.environ.get("INKLING_MNIST_DIR"):
        yield Path(folder), "MNIST"
        return
    with tempfile.TemporaryDirectory() as made:
        yield write_mnist(Path(made), train=8000), "8,000 synthetic digits (INKLING_MNIST_DIR is not set)"


def _draw(digit: int, random: np.random.Generator) -> Gray:
    """Return one digit (28, 28), fitted into 20x20 pixels at the center."""
    templates = list(STROKE_TEMPLATES[digit].values())
    template = templates[random.integers(len(templates))]
    paths = vary([smooth(stroke) for stroke in parse_strokes(template)], random)
    points = np.concatenate(paths)
    low, span = points.min(axis=0), np.ptp(points, axis=0)
    scale = (DIGIT_SIDE - 2 * BRUSH_RADIUS) / span.max()
    corner = (SIDE - scale * span) / 2
    return render([(path - low) * scale + corner for path in paths], BRUSH_RADIUS, (SIDE, SIDE))
