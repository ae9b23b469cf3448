"""Photographs of one digit on paper: its lines, its light, its folds; float32 (h, w), 0 black to 1 white."""

from dataclasses import dataclass, replace

import numpy as np

from inkling.digit import Floats, Gray
from inkling.model_card.image_ops import smooth_noise, to_bytes
from inkling.model_card.yardstick.handwriting import Digit

SIDES = (120, 200, 280, 360, 480)
"""Pixels of the shorter side of a page."""
DIGITAL_SHARE = 0.4
"""Share of the sheets that no camera has seen: of one even gray level, without grain, as tablets and scanners save."""
LINE_DARKNESS = (0.25, 0.5, 0.8)
"""Darkness of printed lines as a share of the pen's, by strength."""
SHADOW_DEPTHS = (0.25, 0.4, 0.55)
"""Share of the light that a shadow takes, by strength."""


@dataclass(frozen=True)
class Sheet:
    """Paper with a digit on it. `gray` puts its parts together: printed lines under the pen, and light over both."""

    paper: Floats  # (h, w), 0 black to 1 white
    strokes: Floats  # (h, w), share of each pixel that the pen covers
    darkness: float  # of the pen, 0 to 1
    height: int  # of the digit, in pixels
    center: tuple[float, float]  # (x, y) of the digit
    grain: Floats | float  # of the camera, (h, w)

    def gray(self, lines: Floats | None = None, light: Floats | float = 1.0) -> Gray:
        """Return the picture (h, w), 0 black to 255 white.

        Args:
            lines: darkness of what is printed at each pixel, 0 to 1.
            light: factor of the light at each pixel.
        """
        pen = self.strokes * self.darkness
        dark = pen if lines is None else np.maximum(pen, lines)
        return to_bytes(self.paper * (1 - dark) * light + self.grain)


def sheet(
    digit: Digit,
    random: np.random.Generator,
    size: tuple[int, int] | None = None,
    share: float | None = None,
    margin: float = 0.12,
) -> Sheet:
    """Return a sheet with a digit at a random place.

    Args:
        digit: is written on it.
        random: chooses what is not given.
        size: (h, w) in pixels.
        share: of the digit's height in the shorter side; 0.35 to 0.7 unless given.
        margin: least share of the free room that is left on each side, at most 0.5.
    """
    side = int(random.choice(SIDES))
    height, width = size or (side, round(side * random.uniform(1, 1.4)))
    share = share or random.uniform(0.35, 0.7)
    coverage = digit.coverage(max(16, round(share * min(height, width))))
    if coverage.shape[1] > 0.8 * width:  # a wide digit
        coverage = digit.coverage(max(16, round(coverage.shape[0] * 0.8 * width / coverage.shape[1])))
    strokes = np.zeros((height, width), np.float32)
    room = np.array(strokes.shape) - coverage.shape
    top, left = np.round(room * random.uniform(margin, 1 - margin, 2)).astype(int)
    strokes[top : top + coverage.shape[0], left : left + coverage.shape[1]] = coverage
    paper = np.full(strokes.shape, random.uniform(0.72, 0.97), np.float32)
    grain: Floats | float = 0.0
    if random.random() > DIGITAL_SHARE:
        slope = smooth_noise(random, 1, cells=1, side=max(strokes.shape))[0] - 0.5
        paper += slope[:height, :width] * np.float32(random.uniform(0, 0.06))
        grain = random.standard_normal(strokes.shape, np.float32) * np.float32(random.uniform(0.002, 0.015))
    center = (left + coverage.shape[1] / 2, top + coverage.shape[0] / 2)
    return Sheet(paper, strokes, float(random.uniform(0.65, 0.92)), coverage.shape[0], center, grain)


def canvas(digit: Digit, random: np.random.Generator) -> Sheet:
    """Return a sheet as a drawing program saves it: white, and black strokes."""
    drawn = sheet(digit, random)
    return replace(drawn, paper=np.ones_like(drawn.paper), darkness=1.0, grain=0.0)


def rule(digit: Digit, strength: int, random: np.random.Generator) -> Gray:
    """Draw on ruled paper, turned by up to 5 degrees: lines of 0.25, 0.5 or 0.8 of the pen's darkness."""
    page = sheet(digit, random)
    x, y = _turned(page, np.deg2rad(random.uniform(-5, 5)))
    pitch, width = _pitch(page, random)
    lines = _lines(y, pitch, width, random)
    if random.random() < 0.4:  # the margin
        lines = np.maximum(lines, np.clip(width / 2 + 0.5 - np.abs(x - _margin(page, random)), 0, 1))
    return page.gray(lines * np.float32(page.darkness * LINE_DARKNESS[strength]))


def square(digit: Digit, strength: int, random: np.random.Generator) -> Gray:
    """Draw on squared paper, turned by up to 5 degrees: lines of 0.25, 0.5 or 0.8 of the pen's darkness."""
    page = sheet(digit, random)
    x, y = _turned(page, np.deg2rad(random.uniform(-5, 5)))
    pitch, width = _pitch(page, random)
    lines = np.maximum(_lines(x, pitch, width, random), _lines(y, pitch, width, random))
    return page.gray(lines * np.float32(page.darkness * LINE_DARKNESS[strength]))


def dot(digit: Digit, strength: int, random: np.random.Generator) -> Gray:
    """Draw on dotted paper, turned by up to 5 degrees: dots of 0.25, 0.5 or 0.8 of the pen's darkness."""
    page = sheet(digit, random)
    x, y = _turned(page, np.deg2rad(random.uniform(-5, 5)))
    pitch, width = _pitch(page, random)
    distance = np.hypot(_to_nearest(x, pitch, random), _to_nearest(y, pitch, random))
    dots: Floats = np.clip(width + 0.5 - distance, 0, 1).astype(np.float32)
    return page.gray(dots * np.float32(page.darkness * LINE_DARKNESS[strength]))


def shadow_softly(digit: Digit, strength: int, random: np.random.Generator) -> Gray:
    """Cast a shadow with a blurred edge near the digit; it takes 0.25, 0.4 or 0.55 of the light."""
    page = sheet(digit, random)
    return _shadowed(page, SHADOW_DEPTHS[strength], random.uniform(0.06, 0.2) * max(page.paper.shape), random)


def shadow_sharply(digit: Digit, strength: int, random: np.random.Generator) -> Gray:
    """Cast a shadow with a sharp edge through or near the digit; it takes 0.25, 0.4 or 0.55 of the light."""
    page = sheet(digit, random)
    return _shadowed(page, SHADOW_DEPTHS[strength], random.uniform(0.5, 2), random)


def vignette(digit: Digit, strength: int, random: np.random.Generator) -> Gray:
    """Darken the corners, as a lens or a flash does: by 0.3, 0.5 or 0.7."""
    page = sheet(digit, random)
    height, width = page.paper.shape
    y, x = np.indices(page.paper.shape, np.float32)
    dx, dy = (x - width * random.uniform(0.4, 0.6)) / width, (y - height * random.uniform(0.4, 0.6)) / height
    far = np.clip((dx**2 + dy**2) / 0.5, 0, 1)
    return page.gray(light=1 - (0.3, 0.5, 0.7)[strength] * far)


def fold(digit: Digit, strength: int, random: np.random.Generator) -> Gray:
    """Fold the paper once or twice: a crease 1 to 3 pixels wide, and 0.06, 0.12 or 0.2 less light on one side of it."""
    page = sheet(digit, random)
    light = np.ones_like(page.paper)
    for turn in (0, np.pi / 2)[: random.integers(1, 3)]:
        _, across = _turned(page, turn + np.deg2rad(random.uniform(-4, 4)))
        away = across - page.height * random.uniform(-0.8, 0.8)
        light *= 1 - (0.06, 0.12, 0.2)[strength] / (1 + np.exp(np.clip(-away, -30, 30)))
        crease = np.exp(-((away / random.uniform(0.8, 2)) ** 2))
        light *= 1 + (0.06, 0.15, 0.3)[strength] * random.choice([-1, 0.4]) * crease
    return page.gray(light=light)


def put_on_white(digit: Digit, strength: int, random: np.random.Generator) -> Gray:
    """Pad a gray sheet with white to a square, or on all sides: the sheet has gray level 0.85, 0.7 or 0.55."""
    page = sheet(digit, random)
    gray = page.gray(light=(0.85, 0.7, 0.55)[strength] / page.paper.mean())
    height, width = gray.shape
    if random.random() < 0.5:
        missing = max(height, width) - np.array(gray.shape) + round(0.2 * height)
        return np.pad(gray, [(gap // 2, gap - gap // 2) for gap in missing], constant_values=255)
    gaps = np.round(random.uniform(0.03, 0.3, (2, 2)) * height).astype(int)
    return np.pad(gray, gaps.tolist(), constant_values=255)


def fill_sheet(digit: Digit, strength: int, random: np.random.Generator) -> Gray:
    """Photograph a whole sheet of 900x700 pixels with lines of 0.15, 0.3 or 0.45 of the pen's darkness."""
    page = sheet(digit, random, size=(700, 900), share=random.uniform(0.22, 0.6))
    x, y = _turned(page, np.deg2rad(random.uniform(-1.5, 1.5)))
    pitch, width = random.uniform(28, 64), random.uniform(1, 2.4)
    lines = _lines(y, pitch, width, random)
    if random.random() < 0.5:
        lines = np.maximum(lines, _lines(x, pitch, width, random))
    if random.random() < 0.4:
        lines = np.maximum(lines, np.clip(width / 2 + 0.5 - np.abs(x - _margin(page, random)), 0, 1))
    shade = 0.0 if isinstance(page.grain, float) else (0.0, 0.1, 0.25)[strength]
    light = 1 - np.float32(shade) * smooth_noise(random, 1, cells=2, side=900)[0][:700]
    lines *= page.darkness * (0.15, 0.3, 0.45)[strength]
    return page.gray(lines, light)


def _shadowed(page: Sheet, depth: float, softness: float, random: np.random.Generator) -> Gray:
    """Shadow a half plane, or a disk as of a head or a hand, whose edge passes within half a digit of its center."""
    across = _turned(page, random.uniform(0, 2 * np.pi))
    offset = page.height * random.uniform(-0.5, 0.5)
    inside = across[1] - offset
    if random.random() < 0.4:
        radius = random.uniform(0.7, 2) * page.height
        inside = radius - np.hypot(across[0], across[1] - offset - radius)
    light = 1 - depth / (1 + np.exp(np.clip(-4 * inside / softness, -30, 30)))
    return page.gray(light=light)


def _turned(page: Sheet, angle: float) -> tuple[Floats, Floats]:
    """Return x and y of each pixel (h, w) from the digit's center, in axes turned by an angle."""
    y, x = np.indices(page.paper.shape, np.float32)
    dx, dy = x - np.float32(page.center[0]), y - np.float32(page.center[1])
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return np.asarray(dx * cosine + dy * sine), np.asarray(dy * cosine - dx * sine)


def _pitch(page: Sheet, random: np.random.Generator) -> tuple[float, float]:
    """Return the distance of printed lines and their width, in pixels."""
    pitch = max(7.0, page.height * random.uniform(0.2, 0.7))
    return pitch, max(1.0, min(pitch / 6, page.height * random.uniform(0.008, 0.025)))


def _to_nearest(place: Floats, pitch: float, random: np.random.Generator) -> Floats:
    """Return the distance of each pixel to the nearest of equally spaced lines."""
    moved = place / np.float32(pitch) + np.float32(random.random())
    nearest: Floats = np.abs(moved - np.rint(moved)) * np.float32(pitch)
    return nearest


def _lines(place: Floats, pitch: float, width: float, random: np.random.Generator) -> Floats:
    lines: Floats = np.clip(width / 2 + 0.5 - _to_nearest(place, pitch, random), 0, 1)
    return lines


def _margin(page: Sheet, random: np.random.Generator) -> float:
    """Return the x of a margin's line, to the left of the digit, from its center."""
    return -page.height * float(random.uniform(0.7, 1.2))
