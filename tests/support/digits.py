"""Digits for tests: Pillow's own font, distorted and placed the way MNIST's makers placed theirs; seeded."""

import gzip
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from inkling.digit import Gray
from inkling.mnist import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS, Dataset, idx_bytes

CANVAS = 120


def make_digits(count: int, seed: int) -> tuple[Gray, Gray]:
    """Return light digits on a dark background (count, 28, 28), and labels (count,) that cycle through 0 to 9."""
    random = np.random.default_rng(seed)
    labels = (np.arange(count) % 10).astype(np.uint8)
    return np.stack([draw_digit(int(label), random) for label in labels]), labels


def draw_digit(digit: int, random: np.random.Generator) -> Gray:
    """Return one digit (28, 28): its box fitted into 20x20, its center of mass at the center."""
    image = Image.new("L", (CANVAS, CANVAS), 0)
    font = ImageFont.load_default(size=int(random.integers(64, 84)))
    width = int(random.integers(0, 4))
    center = (CANVAS / 2, CANVAS / 2)
    ImageDraw.Draw(image).text(center, str(digit), fill=255, font=font, anchor="mm", stroke_width=width)
    shear = float(random.uniform(-0.2, 0.2))
    image = image.transform(
        image.size, Image.Transform.AFFINE, (1, shear, -shear * CANVAS / 2, 0, 1, 0), Image.Resampling.BILINEAR
    )
    image = image.rotate(float(random.uniform(-12, 12)), Image.Resampling.BILINEAR)
    image = image.filter(ImageFilter.GaussianBlur(float(random.uniform(0.5, 1.5))))
    return _place(image)


def write_mnist(folder: Path, train: int = 2000, test: int = 500) -> Path:
    """Write the four IDX files of a small set into `folder`, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for images, labels, count, seed in ((TRAIN_IMAGES, TRAIN_LABELS, train, 1), (TEST_IMAGES, TEST_LABELS, test, 2)):
        drawn, digits = make_digits(count, seed)
        (folder / images).write_bytes(idx_bytes(drawn))
        (folder / labels).write_bytes(idx_bytes(digits))
    return folder


def files_of(data: Dataset) -> dict[str, Gray]:
    """Return the arrays of a dataset by the names of its four files."""
    arrays = (data.train.images, data.train.labels, data.test.images, data.test.labels)
    return dict(zip((TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS), arrays, strict=True))


def compress(path: Path) -> Path:
    """Replace a file by its .gz."""
    packed = path.with_name(f"{path.name}.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    return packed


def _place(image: Image.Image) -> Gray:
    box = image.point(lambda value: 255 if value > 40 else 0).getbbox()
    digit = image.crop(box)
    scale = 20 / max(digit.size)
    digit = digit.resize(
        (max(1, round(digit.width * scale)), max(1, round(digit.height * scale))), Image.Resampling.BOX
    )
    pixels = np.asarray(digit, np.float64)
    rows, columns = np.indices(pixels.shape)
    top = int(14.5 - (pixels * rows).sum() / pixels.sum())
    left = int(14.5 - (pixels * columns).sum() / pixels.sum())
    placed = np.zeros((28, 28), np.uint8)
    top, left = min(max(top, 0), 28 - digit.height), min(max(left, 0), 28 - digit.width)
    placed[top : top + digit.height, left : left + digit.width] = pixels
    return placed


def main() -> None:
    """Write the README's sample digits: docs/digits/0.png to 9.png."""
    folder = Path("docs/digits")
    folder.mkdir(parents=True, exist_ok=True)
    images, _ = make_digits(10, seed=4)
    for digit, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{digit}.png")


if __name__ == "__main__":
    main()
