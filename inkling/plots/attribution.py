"""The heat map of an explanation: the digit in gray, red where a pixel raises the logit, blue where it lowers it."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from inkling.digit import Floats, Gray
from inkling.network.attribution import Array, Explanation

TILE = 392
"""Pixels of a side of the enlarged digit: 28 times 14, so that every pixel stays a square."""
MARGIN, CAPTION = 20, 44
BAR, LEGEND = 16, 96
"""Widths of the color bar, and of the bar with its labels."""
DIGIT_GRAY = 0.16
"""Opacity of the digit beneath the colors, 0 to 1: visible where it contributes nothing, too faint to shift a color."""

COLORS = ((33, 102, 172), (103, 169, 207), (255, 255, 255), (239, 138, 98), (178, 24, 43))
"""From against, over neutral, to for: RdBu of https://colorbrewer2.org, which is safe for the color-blind."""


def draw_heat_map(image: Gray, explanation: Explanation, probabilities: Floats) -> Image.Image:
    """Return the RGB heat map of an image (28, 28) and its explanation, captioned with its probabilities (10,)."""
    limit = float(np.abs(explanation.contributions).max())
    paper = 1 - DIGIT_GRAY * image[..., np.newaxis] / 255  # (28, 28, 1)
    pixels = paper * _colors(explanation.contributions / (limit or 1.0))  # (28, 28, 3)
    picture = Image.new("RGB", (MARGIN + TILE + MARGIN + LEGEND, MARGIN + TILE + CAPTION), "white")
    heat = Image.fromarray(np.rint(pixels).astype(np.uint8))
    picture.paste(heat.resize((TILE, TILE), Image.Resampling.NEAREST), (MARGIN, MARGIN))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((MARGIN - 1, MARGIN - 1, MARGIN + TILE, MARGIN + TILE), outline="#c8c8c8")
    draw.text(
        (MARGIN + TILE / 2, MARGIN + TILE + CAPTION / 2),
        caption(explanation.digit, probabilities),
        fill="black",
        font=ImageFont.load_default(size=18),
        anchor="mm",
    )
    _draw_legend(picture, draw, limit)
    return picture


def caption(digit: int, probabilities: Floats) -> str:
    """Return the digit explained and the digit predicted: `why 7 (0.998)`, or `why 9 (0.001), read as 7 (0.998)`."""
    winner = int(probabilities.argmax())
    why = f"why {digit} ({probabilities[digit]:.3f})"
    return why if digit == winner else f"{why}, read as {winner} ({probabilities[winner]:.3f})"


def _draw_legend(picture: Image.Image, draw: ImageDraw.ImageDraw, limit: float) -> None:
    """Draw the color bar on the right, with its values in nats and the meaning of the colors."""
    left, right = MARGIN + TILE + MARGIN, MARGIN + TILE + MARGIN + BAR
    scale = np.linspace(1, -1, TILE)[:, np.newaxis]  # (TILE, 1)
    bar = Image.fromarray(np.rint(_colors(scale)).astype(np.uint8))
    picture.paste(bar.resize((BAR, TILE)), (left, MARGIN))
    draw.rectangle((left - 1, MARGIN - 1, right, MARGIN + TILE), outline="#c8c8c8")
    font = ImageFont.load_default(size=13)
    for value, y, anchor in ((limit, MARGIN, "la"), (0.0, MARGIN + TILE / 2, "lm"), (-limit, MARGIN + TILE, "ld")):
        draw.text((right + 7, y), f"{value:+#.2g}" if value else "0", fill="black", font=font, anchor=anchor)
    for word, y in (("for", MARGIN + TILE / 4), ("against", MARGIN + TILE * 3 / 4)):
        draw.text((right + 7, y), word, fill="#606060", font=font, anchor="lm")


def _colors(shares: Array) -> Array:
    """Return the colors (..., 3), 0 to 255, of values (...) from -1, blue, over 0, white, to 1, red."""
    stops = np.linspace(-1, 1, len(COLORS))
    return np.stack([np.interp(shares, stops, channel) for channel in zip(*COLORS, strict=True)], axis=-1)
