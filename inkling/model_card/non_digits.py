"""Pictures that hold no single digit: what a service of digits is sent all the same, and should not read as one."""

import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from inkling.model_card.drawings import render
from inkling.model_card.image_ops import smooth_noise, to_bytes
from inkling.model_card.stroke_templates import Points, smooth

Picture = NDArray[np.uint8]
SIDE = 280
PAPER, INK = 255, 0


@dataclass(frozen=True)
class NonDigit:
    kind: str
    picture: Picture  # (height, width), 0 black to 255 white


def draw_non_digits(digits: Picture, each: int = 20, seed: int = 0) -> Iterator[NonDigit]:
    """Yield `each` pictures of every kind, half of them dark on light and half light on dark.

    Args:
        digits: images of digits (n, 28, 28), to set several of them side by side; n at least 6.
        each: how many of each kind.
        seed: the same pictures for the same seed.
    """
    for k, (kind, draw) in enumerate(KINDS.items()):
        for i in range(each):
            picture = draw(np.random.default_rng([seed, k, i]), digits)
            yield NonDigit(kind, picture if i % 2 else 255 - picture)


def _blank(random: np.random.Generator, digits: Picture) -> Picture:
    """Return one color: every other one is pure."""
    gray = random.choice([PAPER, int(random.integers(60, 250))])
    return np.full((SIDE, SIDE), gray, np.uint8)


def _faint_noise(random: np.random.Generator, digits: Picture) -> Picture:
    """Return paper as a camera sees it: light that varies by 0.1, grain of 1 to 5 levels of 255."""
    light = smooth_noise(random, 1, cells=2, side=SIDE)[0] * 25 + random.uniform(120, 220)
    grain = random.normal(0, random.uniform(1, 5), (SIDE, SIDE))
    return to_bytes((light + grain) / 255)


def _noise(random: np.random.Generator, digits: Picture) -> Picture:
    """Return uniform, Gaussian or salt noise, of 28 to 280 pixels a side."""
    side = int(random.choice([28, 56, 280]))
    kind = random.integers(3)
    if kind == 0:
        return random.integers(0, 256, (side, side), np.uint8)
    if kind == 1:
        return to_bytes(random.normal(0.5, 0.25, (side, side)))
    return np.where(random.random((side, side)) < random.uniform(0.05, 0.3), INK, PAPER).astype(np.uint8)


def _filled(random: np.random.Generator, digits: Picture) -> Picture:
    """Return a canvas that is painted over but for a rim of up to 0.1."""
    picture = np.full((SIDE, SIDE), PAPER, np.uint8)
    top, left, bottom, right = random.integers(0, SIDE // 10, 4)
    picture[top : SIDE - bottom, left : SIDE - right] = INK
    return picture


def _letter(random: np.random.Generator, digits: Picture) -> Picture:
    """Return one printed capital that is like no digit: neither B, D, I, J, L, O, Q, S, T, Y nor Z."""
    return _text(str(random.choice(list("ACEFGHKMNPRUVWX"))), size=180)


def _letters(random: np.random.Generator, digits: Picture) -> Picture:
    """Return three to five rows of as many printed letters."""
    side = int(random.integers(3, 6))
    rows = ["".join(random.choice(list(string.ascii_uppercase), side)) for _ in range(side)]
    return _text("\n".join(" ".join(row) for row in rows), size=150 // side)


def _word(random: np.random.Generator, digits: Picture) -> Picture:
    """Return a printed word."""
    words = ("hello", "digit", "Inkling", "paper", "zero", "seven", "nought", "draw me", "test", "yes", "no", "MNIST")
    return _text(str(random.choice(words)), size=int(random.integers(40, 80)))


def _digits(random: np.random.Generator, digits: Picture) -> Picture:
    """Return two to six handwritten digits side by side, with gaps of up to a digit's half."""
    count = int(random.integers(2, 7))
    chosen = digits[random.choice(len(digits), count, replace=False)]
    gap = int(random.integers(0, 10))
    row = np.concatenate([np.pad(digit[:, 4:24], ((0, 0), (gap, gap))) for digit in chosen], axis=1)
    return 255 - np.kron(np.pad(row, 6), np.ones((4, 4), np.uint8))


def _scribble(random: np.random.Generator, digits: Picture) -> Picture:
    """Return a line that wanders to and fro through 20 to 40 points all over the canvas."""
    points: Points = random.uniform(0.1, 0.9, (int(random.integers(20, 41)), 2)) * SIDE
    return 255 - render([smooth([points])], float(random.uniform(3, 10)), (SIDE, SIDE))


def _scene(random: np.random.Generator, digits: Picture) -> Picture:
    """Return what a photograph of something else may hold: a gradient, a chequerboard, or soft light and shadow."""
    y, x = np.indices((SIDE, SIDE))
    kind = random.integers(3)
    if kind == 0:
        angle = random.uniform(0, 2 * np.pi)
        slope = np.cos(angle) * x + np.sin(angle) * y
        return to_bytes((slope - slope.min()) / np.ptp(slope))
    if kind == 1:
        cell = int(random.integers(10, 60))
        return np.where((x // cell + y // cell) % 2, PAPER, INK).astype(np.uint8)
    return to_bytes(smooth_noise(random, 1, cells=int(random.integers(2, 8)), side=SIDE)[0])


def _text(text: str, size: int) -> Picture:
    """Return text in Pillow's own font, black on white, in the middle of a canvas that holds it."""
    font = ImageFont.load_default(size=size)
    left, top, right, bottom = ImageDraw.Draw(Image.new("L", (1, 1))).multiline_textbbox((0, 0), text, font=font)
    picture = Image.new("L", (max(SIDE, round(right - left) + 40), max(SIDE, round(bottom - top) + 40)), PAPER)
    draw = ImageDraw.Draw(picture)
    draw.multiline_text((picture.width / 2, picture.height / 2), text, fill=INK, font=font, anchor="mm")
    return np.asarray(picture)


KINDS: dict[str, Callable[[np.random.Generator, Picture], Picture]] = {
    "blank": _blank,
    "paper with grain": _faint_noise,
    "noise": _noise,
    "painted over": _filled,
    "one letter": _letter,
    "grid of letters": _letters,
    "word": _word,
    "several digits": _digits,
    "scribble": _scribble,
    "gradient or pattern": _scene,
}
"""Each kind by the name that the model card gives it."""
