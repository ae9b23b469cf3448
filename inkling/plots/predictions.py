"""The plot of the tutorial's last cell: each image with its prediction."""

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from inkling.digit import SIDE, Images

TILE = 168
"""Pixels of a side of an enlarged digit: 28 times 6, so that every pixel stays a square."""
MARGIN, CAPTION = 14, 30
COLUMNS = 5


def plot_predictions(images: Images, captions: Sequence[str]) -> Image.Image:
    """Return a grid of images (n, 28, 28), dark on white as in the tutorial, each above its caption."""
    columns = min(COLUMNS, len(images))
    rows = math.ceil(len(images) / columns)
    width, height = TILE + MARGIN, TILE + CAPTION + MARGIN
    picture = Image.new("L", (MARGIN + columns * width, MARGIN + rows * height), 255)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size=14)
    for i, (image, caption) in enumerate(zip(images, captions, strict=True)):
        left, top = MARGIN + i % columns * width, MARGIN + i // columns * height
        digit = Image.fromarray(255 - image.reshape(SIDE, SIDE))
        picture.paste(digit.resize((TILE, TILE), Image.Resampling.NEAREST), (left, top))
        draw.rectangle((left - 1, top - 1, left + TILE, top + TILE), outline=200)
        draw.text((left + TILE / 2, top + TILE + 6), caption, fill=0, font=font, anchor="ma")
    return picture
