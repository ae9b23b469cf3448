"""Numbers of one to eight digits, written side by side on white, gray and lined pages, from a seed."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inkling.digit import Floats, Gray
from inkling.mnist import Split
from inkling.model_card.image_ops import to_bytes
from inkling.model_card.yardstick.handwriting import ScannedDigit

BACKGROUNDS = ("white", "gray", "lined")
LENGTHS = range(1, 9)


@dataclass(frozen=True)
class NumberPage:
    background: str
    digits: str  # the number, left to right
    picture: Gray  # (h, w), 0 black to 255 white


def number_pages(background: str, length: int, count: int, scanned: Split, seed: int = 0) -> list[NumberPage]:
    """Return `count` pages, each with one number of `length` separate digits of the split, no writer's hand alike.

    The digits are 40 to 110 pixels high, vary by a tenth, stand off their line by up to 0.08 of their height, and keep
    a gap of 0.12 to 0.45 of it. The same seed gives the same pages.
    """
    pages = []
    for i in range(count):
        random = np.random.default_rng([seed, zlib.crc32(background.encode()), length, i])
        chosen = random.choice(len(scanned), length, replace=length > len(scanned))
        digits = [ScannedDigit(int(scanned.labels[k]), scanned.images[k]) for k in chosen]
        number = "".join(str(digit.label) for digit in digits)
        pages.append(NumberPage(background, number, _page(background, _row(digits, random), random)))
    return pages


def _row(digits: Sequence[ScannedDigit], random: np.random.Generator) -> Floats:
    """Return the digits side by side on one line, as the share of each pixel that the pen covers."""
    height = int(random.integers(40, 111))
    pen = random.uniform(0.12, 0.45)
    parts: list[Floats] = []
    for digit in digits:
        coverage = digit.coverage(round(height * random.uniform(0.9, 1.1)))
        above = round(0.15 * height + random.uniform(-0.08, 0.08) * height)
        part = np.zeros((round(1.5 * height), coverage.shape[1] + max(3, round(pen * height))), np.float32)
        part[above : above + coverage.shape[0], : coverage.shape[1]] = coverage
        parts.append(part)
    return np.concatenate(parts, axis=1)


def _page(background: str, row: Floats, random: np.random.Generator) -> Gray:
    """Return a page at least 1.2 times as large as the row of digits."""
    height = round(row.shape[0] * random.uniform(1.3, 2.5))
    width = max(round(row.shape[1] * random.uniform(1.2, 1.6)), round(0.8 * height))
    pen = np.zeros((height, width), np.float32)
    top, left = np.round((np.array(pen.shape) - row.shape) * random.uniform(0.2, 0.8, 2)).astype(int)
    pen[top : top + row.shape[0], left : left + row.shape[1]] = row
    if background == "white":
        return to_bytes(1 - pen)
    darkness = np.float32(random.uniform(0.7, 0.92))
    level = random.uniform(0.55, 0.85) if background == "gray" else random.uniform(0.8, 0.97)
    dark = pen * darkness
    if background == "lined":
        pitch = row.shape[0] * random.uniform(0.25, 0.6)
        place = np.arange(height) / pitch + random.random()
        lines = np.clip(random.uniform(0.5, 1.2) + 0.5 - np.abs(place - np.rint(place)) * pitch, 0, 1)
        dark = np.maximum(dark, (lines * darkness * random.uniform(0.2, 0.5))[:, np.newaxis].astype(np.float32))
    grain = random.standard_normal(dark.shape, np.float32) * np.float32(random.choice([0, 0.004, 0.012]))
    return to_bytes(np.float32(level) * (1 - dark) + grain)
