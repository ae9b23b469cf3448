"""Contact sheets: grids of small pictures with captions, drawn by Pillow so that every pixel stays a square."""

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from inkling.digit import Gray

MARGIN, CAPTION = 6, 14
GRAY_LEVELS = 16
"""Enough for small pictures, and half of the bytes."""


def contact_sheet(
    pictures: Sequence[Gray], captions: Sequence[str], columns: int, tile: int, row_titles: Sequence[str] = ()
) -> Image.Image:
    """Return pictures (h, w), 0 black to 255 white, each fitted into a square of `tile` pixels above its caption.

    Args:
        pictures: at least one, of any sizes.
        captions: one per picture; if all are empty, the sheet has no room for them.
        columns: pictures per row.
        tile: side of the square, in pixels.
        row_titles: to the left of each row; if there are none, the sheet has no room for them.
    """
    columns = min(columns, len(pictures))
    rows = math.ceil(len(pictures) / columns)
    indent = 8 * max(map(len, row_titles)) if row_titles else 0
    width, height = tile + MARGIN, tile + (CAPTION if any(captions) else 0) + MARGIN
    sheet = Image.new("L", (indent + MARGIN + columns * width, MARGIN + rows * height), 255)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=11)
    for i, (picture, text) in enumerate(zip(pictures, captions, strict=True)):
        left, top = indent + MARGIN + i % columns * width, MARGIN + i // columns * height
        small = _fit_tile(Image.fromarray(picture), tile)
        sheet.paste(small, (left + (tile - small.width) // 2, top + (tile - small.height) // 2))
        draw.rectangle((left - 1, top - 1, left + tile, top + tile), outline=190)
        draw.text((left + tile / 2, top + tile + 2), text, fill=0, font=font, anchor="ma")
    for i, title in enumerate(row_titles):
        draw.text((MARGIN, MARGIN + i * height + tile / 2), title, fill=0, font=font, anchor="lm")
    step = 255 / (GRAY_LEVELS - 1)
    return sheet.point([round(round(value / step) * step) for value in range(256)]).quantize(GRAY_LEVELS)


def _fit_tile(picture: Image.Image, tile: int) -> Image.Image:
    """Return a picture fitted into a tile: enlarged by a whole number, so that its pixels stay squares, or reduced."""
    longer = max(picture.size)
    if longer <= tile:
        factor = tile // longer
        return picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)
    size = (max(1, picture.width * tile // longer), max(1, picture.height * tile // longer))
    return picture.resize(size, Image.Resampling.BOX)
