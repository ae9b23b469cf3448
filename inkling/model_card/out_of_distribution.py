"""Out-of-distribution pictures: they hold no single digit, so the network should not answer one."""

import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from inkling.digit import Gray, Images
from inkling.model_card.drawings import render
from inkling.model_card.image_ops import smooth_noise, to_bytes
from inkling.model_card.stroke_templates import Points, smooth

CANVAS_SIDE = 280
WHITE, BLACK = 255, 0


@dataclass(frozen=True)
class OutOfDistribution:
    kind: str
    picture: Gray  # (height, width), 0 black to 255 white


def draw_out_of_distribution(digits: Images, each: int = 20, seed: int = 0) -> Iterator[OutOfDistribution]:
    """Yield `each` pictures of every kind, half of them dark on light and half light on dark.

    Args:
        digits: images of digits (n, 28, 28), n at least 6, for the pictures of several digits.
        each: number of pictures per kind.
        seed: the same seed gives the same pictures.
    """
    for k, (kind, draw) in enumerate(KINDS.items()):
        for i in range(each):
            picture = draw(np.random.default_rng([seed, k, i]), digits)
            yield OutOfDistribution(kind, picture if i % 2 else 255 - picture)


def _blank(random: np.random.Generator, digits: Images) -> Gray:
    """Return a picture of one gray level: white in half of the cases."""
    gray = random.choice([WHITE, int(random.integers(60, 250))])
    return np.full((CANVAS_SIDE, CANVAS_SIDE), gray, np.uint8)


def _faint_noise(random: np.random.Generator, digits: Images) -> Gray:
    """Return paper as a camera sees it: light that varies by 25 levels, and grain of 1 to 5 levels."""
    light = smooth_noise(random, 1, cells=2, side=CANVAS_SIDE)[0] * 25 + random.uniform(120, 220)
    grain = random.normal(0, random.uniform(1, 5), (CANVAS_SIDE, CANVAS_SIDE))
    return to_bytes((light + grain) / 255)


def _noise(random: np.random.Generator, digits: Images) -> Gray:
    """Return uniform, Gaussian or salt noise, of 28, 56 or 280 pixels per side."""
    side = int(random.choice([28, 56, 280]))
    kind = random.integers(3)
    if kind == 0:
        return random.integers(0, 256, (side, side), np.uint8)
    if kind == 1:
        return to_bytes(random.normal(0.5, 0.25, (side, side)))
    return np.where(random.random((side, side)) < random.uniform(0.05, 0.3), BLACK, WHITE).astype(np.uint8)


def _filled(random: np.random.Generator, digits: Images) -> Gray:
    """Return a canvas that is painted over except for a margin of up to a tenth of its side."""
    picture = np.full((CANVAS_SIDE, CANVAS_SIDE), WHITE, np.uint8)
    top, left, bottom, right = random.integers(0, CANVAS_SIDE // 10, 4)
    picture[top : CANVAS_SIDE - bottom, left : CANVAS_SIDE - right] = BLACK
    return picture


def _letter(random: np.random.Generator, digits: Images) -> Gray:
    """Return one printed capital letter that resembles no digit: not B, D, I, J, L, O, Q, S, T, Y or Z."""
    return _text(str(random.choice(list("ACEFGHKMNPRUVWX"))), size=180)


def _letters(random: np.random.Generator, digits: Images) -> Gray:
    """Return a grid of 3x3 to 5x5 printed letters."""
    side = int(random.integers(3, 6))
    rows = ["".join(random.choice(list(string.ascii_uppercase), side)) for _ in range(side)]
    return _text("\n".join(" ".join(row) for row in rows), size=150 // side)


def _word(random: np.random.Generator, digits: Images) -> Gray:
    """Return a printed word."""
    words = ("hello", "digit", "Inkling", "paper", "zero", "seven", "nought", "draw me", "test", "yes", "no", "MNIST")
    return _text(str(random.choice(words)), size=int(random.integers(40, 80)))


def _digits(random: np.random.Generator, digits: Images) -> Gray:
    """Return two to six handwritten digits side by side, up to 18 of their pixels apart."""
    count = int(random.integers(2, 7))
    chosen = digits[random.choice(len(digits), count, replace=False)]
    gap = int(random.integers(0, 10))
    row = np.concatenate([np.pad(digit[:, 4:24], ((0, 0), (gap, gap))) for digit in chosen], axis=1)
    return 255 - np.kron(np.pad(row, 6), np.ones((4, 4), np.uint8))


def _scribble(random: np.random.Generator, digits: Images) -> Gray:
    """Return a curve through 20 to 40 random points of the canvas."""
    points: Points = random.uniform(0.1, 0.9, (int(random.integers(20, 41)), 2)) * CANVAS_SIDE
    return 255 - render([smooth([points])], float(random.uniform(3, 10)), (CANVAS_SIDE, CANVAS_SIDE))


def _scene(random: np.random.Generator, digits: Images) -> Gray:
    """Return a gradient, a checkerboard, or soft light and shadow, as in a photograph of something else."""
    y, x = np.indices((CANVAS_SIDE, CANVAS_SIDE))
    kind = random.integers(3)
    if kind == 0:
        angle = random.uniform(0, 2 * np.pi)
        slope = np.cos(angle) * x + np.sin(angle) * y
        return to_bytes((slope - slope.min()) / np.ptp(slope))
    if kind == 1:
        cell = int(random.integers(10, 60))
        return np.where((x // cell + y // cell) % 2, WHITE, BLACK).astype(np.uint8)
    return to_bytes(smooth_noise(random, 1, cells=int(random.integers(2, 8)), side=CANVAS_SIDE)[0])


def _text(text: str, size: int) -> Gray:
    """Return text in Pillow's default font, black on white, centered on a canvas that is large enough."""
    font = ImageFont.load_default(size=size)
    left, top, right, bottom = ImageDraw.Draw(Image.new("L", (1, 1))).multiline_textbbox((0, 0), text, font=font)
    width, height = (max(CANVAS_SIDE, round(extent) + 40) for extent in (right - left, bottom - top))
    picture = Image.new("L", (width, height), WHITE)
    draw = ImageDraw.Draw(picture)
    draw.multiline_text((picture.width / 2, picture.height / 2), text, fill=BLACK, font=font, anchor="mm")
    return np.asarray(picture)


KINDS: dict[str, Callable[[np.random.Generator, Images], Gray]] = {
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
"""Every kind by its name in the model card."""
