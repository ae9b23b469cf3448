"""docs/pipeline.png: a photo of a digit after each step of fit=mnist. Run with `python -m tests.pictures.pipeline`."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from inkling.digit import Gray
from inkling.vision.foreground import subtract_varying_background
from inkling.vision.normalize import normalize
from inkling.vision.segmentation import select_digit
from tests.support.pictures import draw_strokes, photograph, put

PANEL = 252
"""Side of a panel and of the photo, in pixels: nine times that of an image, and not so large that it is downscaled."""
GAP = 32
MARGIN = 16
CAPTION = 44
"""Height of the captions, in pixels."""
BLACK, WHITE, GRAY = 0, 255, 110


def make_photo(side: int = PANEL) -> Gray:
    """Return a seeded photo of a digit: a lamp on one side, a shadow, specks of dust, noise."""
    strokes = put(draw_strokes(5, 146, 12.0), (side, side), (48, 74))
    random = np.random.default_rng(3)
    for row, column in random.integers(10, side - 14, (7, 2)):
        strokes[row : row + 4, column : column + 4] = 1.0
    return photograph(strokes, seed=7, noise=7.0)


def steps(photo: Gray) -> dict[str, Gray]:
    """Return what each step makes of a photo of at most 256 pixels, by the step's caption."""
    foreground = subtract_varying_background(photo.astype(np.float32))
    digit = select_digit(foreground.mask, is_noisy=True)
    return {
        "photo": photo,
        "background subtracted": foreground.levels,
        "foreground mask": foreground.mask * np.uint8(WHITE),
        "digit selected": digit * np.uint8(WHITE),
        "placed in 28x28": normalize(photo).pixels,
    }


def draw_pipeline(panels: dict[str, Gray]) -> Image.Image:
    """Return the panels side by side on white, each above its caption, with arrows between them."""
    width = 2 * MARGIN + len(panels) * PANEL + (len(panels) - 1) * GAP
    sheet = Image.new("L", (width, 2 * MARGIN + PANEL + CAPTION), WHITE)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=22)
    for number, (caption, pixels) in enumerate(panels.items()):
        left = MARGIN + number * (PANEL + GAP)
        sheet.paste(Image.fromarray(pixels).resize((PANEL, PANEL), Image.Resampling.NEAREST), (left, MARGIN))
        draw.text((left + PANEL / 2, MARGIN + PANEL + CAPTION / 2 + 4), caption, fill=BLACK, font=font, anchor="mm")
        if number:
            middle = MARGIN + PANEL / 2
            draw.polygon([(left - 22, middle - 10), (left - 22, middle + 10), (left - 10, middle)], fill=GRAY)
    return sheet


def main() -> None:
    draw_pipeline(steps(make_photo())).save(Path("docs", "pipeline.png"), optimize=True)


if __name__ == "__main__":
    main()
