"""Pictures of numbers for tests: digits and marks beside each other."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from inkling.digit import Gray


def strokes_of(digit: int, height: int) -> Gray:
    """Return a printed digit, cropped to its box and scaled to a height, light on dark."""
    image = Image.new("L", (240, 240))
    font = ImageFont.load_default(size=180)
    ImageDraw.Draw(image).text((120, 120), str(digit), fill=255, font=font, anchor="mm", stroke_width=2)
    crop = image.crop(image.getbbox())
    return np.asarray(crop.resize((max(4, round(crop.width * height / crop.height)), height), Image.Resampling.BOX))


def write(text: str, height: int = 40, gap: int = 12, baselines: Sequence[int] = (0,)) -> Gray:
    """Return a line of light strokes on black (3 * height, w): digits, ".", "-" and spaces of one height.

    Args:
        text: the line.
        height: of the digits, in pixels.
        gap: pixels between two characters; negative: they overlap.
        baselines: by how much each character is lower, in pixels; repeated.
    """
    page = np.zeros((3 * height, (len(text) + 2) * (height + max(gap, 0) + 4)), np.uint8)
    x, thick = height, max(3, height // 8)
    for i, character in enumerate(text):
        bottom = 2 * height + baselines[i % len(baselines)]
        if character == ".":
            mark = np.full((thick, thick), 255, np.uint8)
        elif character == "-":
            mark, bottom = np.full((thick, height // 2), 255, np.uint8), bottom - height // 2
        elif character == " ":
            mark = np.zeros((1, 2 * height), np.uint8)
        else:
            mark = strokes_of(int(character), height)
        window = page[bottom - mark.shape[0] : bottom, x : x + mark.shape[1]]
        np.maximum(window, mark, out=window)
        x += mark.shape[1] + gap
    return page[:, : x + height]


def stack_lines(lines: Sequence[Gray]) -> Gray:
    """Return lines below each other."""
    width = max(line.shape[1] for line in lines)
    return np.vstack([np.pad(line, ((0, 0), (0, width - line.shape[1]))) for line in lines])


def on_gray_paper(strokes: Gray, seed: int = 1) -> Gray:
    """Return a photograph of dark strokes on gray paper that is lit from one side."""
    light = np.linspace(140, 210, strokes.shape[1]) * np.ones((strokes.shape[0], 1))
    noise = np.random.default_rng(seed).normal(0, 3, strokes.shape)
    return np.clip(light * (1 - 0.7 * strokes / 255) + noise, 0, 255).astype(np.uint8)
