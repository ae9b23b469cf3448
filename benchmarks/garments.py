"""Drawn garments in the format of Fashion-MNIST, for benchmarks of own data: ten silhouettes, varied, with noise."""

import gzip
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from inkling.digit import SIDE, Gray, Images
from inkling.mnist import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS, idx_bytes

Outline = tuple[tuple[float, float], ...]

TORSO: Outline = ((0.3, 0.1), (0.7, 0.1), (0.7, 0.9), (0.3, 0.9))
SHOE: Outline = ((0.05, 0.6), (0.4, 0.55), (0.6, 0.35), (0.95, 0.35), (0.95, 0.75), (0.05, 0.75))


def sleeves(length: float, width: float = 0.14) -> tuple[Outline, Outline]:
    """Return two sleeves of a torso, down to `length` of the picture's height."""
    left = ((0.32, 0.1), (0.12, length), (0.12 + width, length), (0.34, 0.1 + 2 * width))
    return left, tuple((1 - x, y) for x, y in left)


SILHOUETTES: dict[str, tuple[Outline, ...]] = {
    "T-shirt/top": (TORSO, *sleeves(0.38)),
    "Trouser": (
        ((0.3, 0.05), (0.7, 0.05), (0.7, 0.2), (0.3, 0.2)),
        ((0.3, 0.2), (0.48, 0.2), (0.45, 0.95), (0.28, 0.95)),
        ((0.52, 0.2), (0.7, 0.2), (0.72, 0.95), (0.55, 0.95)),
    ),
    "Pullover": (TORSO, *sleeves(0.85)),
    "Dress": (((0.38, 0.05), (0.62, 0.05), (0.58, 0.4), (0.75, 0.95), (0.25, 0.95), (0.42, 0.4)),),
    "Coat": (
        ((0.28, 0.05), (0.49, 0.1), (0.49, 0.95), (0.26, 0.95)),
        ((0.51, 0.1), (0.72, 0.05), (0.74, 0.95), (0.51, 0.95)),
        *sleeves(0.85),
    ),
    "Sandal": (
        ((0.05, 0.65), (0.95, 0.6), (0.95, 0.75), (0.05, 0.75)),
        ((0.2, 0.65), (0.45, 0.4), (0.5, 0.45), (0.3, 0.65)),
        ((0.7, 0.62), (0.85, 0.35), (0.9, 0.4), (0.8, 0.62)),
    ),
    "Shirt": (((0.3, 0.1), (0.45, 0.1), (0.5, 0.22), (0.55, 0.1), (0.7, 0.1), (0.7, 0.9), (0.3, 0.9)), *sleeves(0.65)),
    "Sneaker": (SHOE,),
    "Bag": (
        ((0.1, 0.4), (0.9, 0.4), (0.95, 0.9), (0.05, 0.9)),
        ((0.3, 0.4), (0.35, 0.15), (0.65, 0.15), (0.7, 0.4), (0.63, 0.4), (0.6, 0.22), (0.4, 0.22), (0.37, 0.4)),
    ),
    "Ankle boot": (SHOE, ((0.5, 0.4), (0.55, 0.05), (0.95, 0.05), (0.95, 0.5))),
}
"""The polygons of each class, in units of the picture's side, x to the right and y down."""
SUPERSAMPLING = 3


def make_garments(count: int, seed: int) -> tuple[Images, Images]:
    """Return images (count, 28, 28) of garments and labels (count,): the classes in turn."""
    random = np.random.default_rng(seed)
    outlines = list(SILHOUETTES.values())
    labels = (np.arange(count) % len(outlines)).astype(np.uint8)
    return np.stack([_draw(outlines[label], random) for label in labels]), labels


def write_garments(folder: Path, train: int, test: int) -> Path:
    """Write the four .gz files into a new folder, with the names of the classes, and return it."""
    folder.mkdir(parents=True)
    for images, labels, count, seed in ((TRAIN_IMAGES, TRAIN_LABELS, train, 1), (TEST_IMAGES, TEST_LABELS, test, 2)):
        pixels, classes = make_garments(count, seed)
        (folder / f"{images}.gz").write_bytes(gzip.compress(idx_bytes(pixels), 1, mtime=0))
        (folder / f"{labels}.gz").write_bytes(gzip.compress(idx_bytes(classes), 1, mtime=0))
    (folder / "classes.txt").write_text("\n".join(SILHOUETTES))
    return folder


def _draw(outlines: tuple[Outline, ...], random: np.random.Generator) -> Gray:
    """Return one garment: its corners moved, the whole sheared, scaled and shifted; a cloth with noise, and faults."""
    side = SIDE * SUPERSAMPLING
    linear = np.diag(random.uniform(0.7, 1.05, 2)) + np.array(
        [[0, random.normal(0, 0.08)], [random.normal(0, 0.05), 0]]
    )
    center = 0.5 + random.normal(0, 0.04, 2)
    mask = Image.new("L", (side, side))
    draw = ImageDraw.Draw(mask)
    for outline in outlines:
        corners = np.array(outline) - 0.5 + random.normal(0, 0.025, (len(outline), 2))
        draw.polygon([(x, y) for x, y in side * (corners @ linear.T + center)], fill=int(random.integers(90, 256)))
    cloth = np.asarray(mask.resize((SIDE, SIDE), Image.Resampling.BOX), np.float64)
    noisy = cloth * (1 + random.normal(0, 0.25, (SIDE, SIDE))) + random.normal(0, 12, (SIDE, SIDE))
    return np.clip(noisy, 0, 255).astype(np.uint8)
