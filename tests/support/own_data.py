"""Own data for tests: folders of IDX files in the format of Fashion-MNIST, and folders of pictures by class."""

import gzip
from pathlib import Path

import numpy as np
from PIL import Image

from inkling.digit import Gray
from inkling.mnist import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS, idx_bytes

GARMENTS = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
ANIMALS = ("ant", "bear", "cat", "dog", "eel", "fox", "goat", "hen", "ibis", "jay")


def make_tiles(count: int, seed: int) -> tuple[Gray, Gray]:
    """Return images (count, 28, 28) that fill their frame, as clothes do, and labels (count,) that cycle 0 to 9.

    A class is the place of a bright tile among noise.
    """
    random = np.random.default_rng(seed)
    labels = (np.arange(count) % 10).astype(np.uint8)
    images = random.integers(0, 120, (count, 28, 28), np.uint8)
    for image, label in zip(images, labels, strict=True):
        top, left = 14 * (label // 5), 5 * (label % 5)
        image[top : top + 14, left : left + 5] += 100
    return images, labels


def write_garments(folder: Path, train: int = 600, test: int = 100, *, classes: bool = True) -> Path:
    """Write four .gz files in the format of Fashion-MNIST, with the names of its classes unless `classes` is false."""
    folder.mkdir(parents=True)
    for images, labels, count, seed in ((TRAIN_IMAGES, TRAIN_LABELS, train, 1), (TEST_IMAGES, TEST_LABELS, test, 2)):
        pixels, classes_of = make_tiles(count, seed)
        (folder / f"{images}.gz").write_bytes(gzip.compress(idx_bytes(pixels), 1))
        (folder / f"{labels}.gz").write_bytes(gzip.compress(idx_bytes(classes_of), 1))
    if classes:
        (folder / "classes.txt").write_text("\n".join(GARMENTS))
    return folder


def write_pictures(folder: Path, count: int = 100, side: int = 56) -> Path:
    """Write pictures of ANIMALS, one folder for each."""
    for i, (image, label) in enumerate(zip(*make_tiles(count, 3), strict=True)):
        path = folder / ANIMALS[label] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).resize((side, side)).save(path)
    return folder
