"""The model card's pictures: a confusion matrix, a reliability diagram, and sheets of small pictures with captions."""

import io
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from inkling.digit import NUM_CLASSES, Gray
from inkling.network.evaluation import CALIBRATION_BINS

Color = tuple[int, int, int]

WHITE, BLACK, GREY = (255, 255, 255), (0, 0, 0), (190, 190, 190)
BLUE, ORANGE = (31, 97, 165), (224, 108, 20)

CELL, GUTTER = 48, 64
PLOT, PANEL = 260, 360
TEXT = 14
GREYS = 16
"""Levels of gray of a sheet: as many as small pictures need, and half of the bytes."""


def png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, format="PNG", optimize=True)
    return file.getvalue()


def confusion_picture(matrix: Sequence[Sequence[int]]) -> Image.Image:
    """Return [true digit][digit read] -> images as a table: right ones in blue, mistakes in orange by their number."""
    side = GUTTER + NUM_CLASSES * CELL
    picture = Image.new("RGB", (side + 16, side + 16), WHITE)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size=TEXT)
    worst = max([1, *(matrix[i][j] for i, j in np.ndindex(NUM_CLASSES, NUM_CLASSES) if i != j)])
    for i in range(NUM_CLASSES):
        middle = GUTTER + (i + 0.5) * CELL
        draw.text((middle, GUTTER - 12), str(i), fill=BLACK, font=font, anchor="mm")
        draw.text((GUTTER - 12, middle), str(i), fill=BLACK, font=font, anchor="mm")
        for j in range(NUM_CLASSES):
            left, top, count = GUTTER + j * CELL, GUTTER + i * CELL, matrix[i][j]
            share = 1.0 if i == j else math.sqrt(count / worst) * 0.85
            color = _mix(WHITE, BLUE if i == j else ORANGE, share if count else 0)
            draw.rectangle((left, top, left + CELL, top + CELL), fill=color, outline=GREY)
            if count:
                text = WHITE if i == j else BLACK
                draw.text((left + CELL / 2, top + CELL / 2), str(count), fill=text, font=font, anchor="mm")
    draw.text((GUTTER + NUM_CLASSES * CELL / 2, 20), "digit read", fill=BLACK, font=font, anchor="mm")
    _text_upwards(picture, (20, GUTTER + NUM_CLASSES * CELL // 2), "true digit")
    return picture.quantize(64)


def reliability_picture(
    panels: Sequence[tuple[str, NDArray[np.float32], NDArray[np.uint8]]],
) -> Image.Image:
    """Return a reliability diagram (Guo et al. 2017, figure 1) for each title, probabilities (n, 10) and labels (n,).

    A bar is the accuracy of the images of one bin of confidence, above it their number; where confidence means what it
    says, bars reach the dashed line.
    """
    picture = Image.new("RGB", (PANEL * len(panels), PLOT + 120), WHITE)
    draw = ImageDraw.Draw(picture)
    font, small = ImageFont.load_default(size=TEXT), ImageFont.load_default(size=9)
    for k, (title, probabilities, labels) in enumerate(panels):
        left, top = k * PANEL + 70, 50
        counts, right = _bins(probabilities, labels)
        draw.text((left + PLOT / 2, 22), title, fill=BLACK, font=font, anchor="mm")
        width = PLOT / CALIBRATION_BINS
        bars = [
            (left + width * i, top + PLOT * (1 - correct / count), count)
            for i, (count, correct) in enumerate(zip(counts, right, strict=True))
            if count
        ]
        for x, y, _ in bars:
            draw.rectangle((x + 1, y, x + width - 1, top + PLOT), fill=BLUE)
        for i in range(0, PLOT, 8):
            draw.line((left + i, top + PLOT - i, left + i + 4, top + PLOT - i - 4), fill=ORANGE, width=2)
        draw.rectangle((left, top, left + PLOT, top + PLOT), outline=BLACK)
        for x, y, count in bars:
            draw.text((x + width / 2, y - 3), str(count), fill=BLACK, font=small, anchor="mb")
        for i in range(6):
            draw.text((left + PLOT * i / 5, top + PLOT + 14), f"{i / 5:.1f}", fill=BLACK, font=font, anchor="mm")
            draw.text((left - 8, top + PLOT * (1 - i / 5)), f"{i / 5:.1f}", fill=BLACK, font=font, anchor="rm")
        draw.text((left + PLOT / 2, top + PLOT + 40), "confidence", fill=BLACK, font=font, anchor="mm")
        _text_upwards(picture, (left - 50, top + PLOT // 2), "accuracy")
    return picture.quantize(64)


def sheet(
    pictures: Sequence[Gray], captions: Sequence[str], columns: int, tile: int, row_titles: Sequence[str] = ()
) -> Image.Image:
    """Return pictures (h, w), 0 black to 255 white, each fitted into a square of `tile` pixels above its caption.

    Args:
        pictures: at least one, of any sizes.
        captions: one a picture; where all are empty, no room is left for them.
        columns: pictures a row.
        tile: the square's side, in pixels.
        row_titles: to the left of each row; none leave no room for them.
    """
    columns = min(columns, len(pictures))
    rows = math.ceil(len(pictures) / columns)
    margin, caption = 6, TEXT if any(captions) else 0
    indent = 8 * max(map(len, row_titles)) if row_titles else 0
    width, height = tile + margin, tile + caption + margin
    result = Image.new("L", (indent + margin + columns * width, margin + rows * height), 255)
    draw, font = ImageDraw.Draw(result), ImageFont.load_default(size=11)
    for i, (picture, text) in enumerate(zip(pictures, captions, strict=True)):
        left, top = indent + margin + i % columns * width, margin + i // columns * height
        small = _fit_tile(Image.fromarray(picture), tile)
        result.paste(small, (left + (tile - small.width) // 2, top + (tile - small.height) // 2))
        draw.rectangle((left - 1, top - 1, left + tile, top + tile), outline=190)
        draw.text((left + tile / 2, top + tile + 2), text, fill=0, font=font, anchor="ma")
    for i, title in enumerate(row_titles):
        draw.text((margin, margin + i * height + tile / 2), title, fill=0, font=font, anchor="lm")
    step = 255 / (GREYS - 1)
    return result.point([round(round(value / step) * step) for value in range(256)]).quantize(GREYS)


def _fit_tile(picture: Image.Image, tile: int) -> Image.Image:
    """Return a picture enlarged by a whole number, so that its pixels stay squares, or reduced, to fit a tile."""
    longer = max(picture.size)
    if longer <= tile:
        factor = tile // longer
        return picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)
    size = (max(1, picture.width * tile // longer), max(1, picture.height * tile // longer))
    return picture.resize(size, Image.Resampling.BOX)


def _bins(probabilities: NDArray[np.float32], labels: NDArray[np.uint8]) -> tuple[list[int], list[int]]:
    """Return how many images each bin of confidence holds, and how many of them are read right."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    is_right = probabilities.argmax(axis=1) == labels
    bin_of = np.minimum((confidence * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    counts = np.bincount(bin_of, minlength=CALIBRATION_BINS)
    right = np.bincount(bin_of[is_right], minlength=CALIBRATION_BINS)
    return counts.tolist(), right.tolist()


def _mix(ground: Color, color: Color, share: float) -> Color:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(ground, color, strict=True))
    return red, green, blue


def _text_upwards(picture: Image.Image, center: tuple[int, int], text: str) -> None:
    strip = Image.new("RGB", (100, 20), WHITE)
    ImageDraw.Draw(strip).text((50, 10), text, fill=BLACK, font=ImageFont.load_default(size=TEXT), anchor="mm")
    upright = strip.transpose(Image.Transpose.ROTATE_90)
    picture.paste(upright, (center[0] - upright.width // 2, center[1] - upright.height // 2))
