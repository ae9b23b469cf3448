"""The same digit as people's files hold it: a test image (28, 28) in, an image file out.

Nothing here makes a digit harder to read for a person; so `fit=mnist` should lose none of them.
"""

import io
import zlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from inkling.digit import SIDE, Gray

Floats = NDArray[np.float64]
Keep = Callable[[Gray, np.random.Generator], bytes]

LARGE = 140
"""Pixels of a side of the papers that photographs are made of; their digit fills 112."""

_ORIENTED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How a camera that is held so stores a picture that its EXIF orientation turns upright again."""


def kept(name: str, images: Gray) -> list[bytes]:
    """Return the image files of images (n, 28, 28) kept in the way of that name; the same every time."""
    return [FILES[name](image, np.random.default_rng([zlib.crc32(name.encode()), i])) for i, image in enumerate(images)]


def _scaled(factor: int, resampling: Image.Resampling) -> Keep:
    return lambda image, random: _png(_resized(image, factor * SIDE, resampling))


def _in_corner(row: int, column: int) -> Keep:
    def keep(image: Gray, random: np.random.Generator) -> bytes:
        canvas = np.zeros((4 * SIDE, 4 * SIDE), np.uint8)
        canvas[row * 3 * SIDE :, column * 3 * SIDE :][:SIDE, :SIDE] = image
        return _png(canvas)

    return keep


def _inverted(image: Gray, random: np.random.Generator) -> bytes:
    return _png(255 - image)


def _transparent(ink: int) -> Keep:
    """Keep the digit in the alpha channel, its color `ink` everywhere."""

    def keep(image: Gray, random: np.random.Generator) -> bytes:
        rgb = np.full((SIDE, SIDE, 3), ink, np.uint8)
        return _png(np.concatenate([rgb, image[..., np.newaxis]], axis=2))

    return keep


def _palette(is_transparent: bool) -> Keep:
    def keep(image: Gray, random: np.random.Generator) -> bytes:
        picture = Image.fromarray(255 - image).quantize(64)
        return _file(picture, "PNG", **({"transparency": picture.getpixel((0, 0))} if is_transparent else {}))

    return keep


def _deep(image: Gray, random: np.random.Generator) -> bytes:
    return _png(image.astype(np.uint16) * 257)


def _cmyk(image: Gray, random: np.random.Generator) -> bytes:
    blank = Image.new("L", (4 * SIDE, 4 * SIDE))
    key = Image.fromarray(_resized(image, 4 * SIDE))
    return _file(Image.merge("CMYK", [blank, blank, blank, key]), "JPEG", quality=90)


def _oriented(orientation: int) -> Keep:
    def keep(image: Gray, random: np.random.Generator) -> bytes:
        picture = Image.fromarray(255 - _resized(image, 3 * SIDE))
        turn = _ORIENTED[orientation]
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        return _file(picture.transpose(turn) if turn is not None else picture, "JPEG", quality=90, exif=exif)

    return keep


def _jpeg(side: int, quality: int) -> Keep:
    return lambda image, random: _file(Image.fromarray(_resized(image, side)), "JPEG", quality=quality)


def _under_ramp(low: int, high: int, is_dark_ink: bool) -> Keep:
    """Keep a photograph of paper whose light goes from `low` to `high` across, in any direction."""

    def keep(image: Gray, random: np.random.Generator) -> bytes:
        ink = _on_paper(image, random)
        angle = random.uniform(0, 2 * np.pi)
        y, x = np.mgrid[:LARGE, :LARGE] / (LARGE - 1) - 0.5
        light = y * np.sin(angle) + x * np.cos(angle)
        paper = low + (high - low) * (light - light.min()) / np.ptp(light)
        return _png(_levels(paper * (1 - 0.75 * ink) if is_dark_ink else paper + 150 * ink))

    return keep


def _on_gray(level: int) -> Keep:
    """Keep a photograph of gray paper, noise of standard deviation 12 on all of it."""

    def keep(image: Gray, random: np.random.Generator) -> bytes:
        paper = level * (1 - 0.6 * _on_paper(image, random))
        return _png(_levels(paper + random.normal(0, 12, paper.shape)))

    return keep


FILES: dict[str, Keep] = {
    "2 times, nearest": _scaled(2, Image.Resampling.NEAREST),
    "3 times, bicubic": _scaled(3, Image.Resampling.BICUBIC),
    "5 times, bilinear": _scaled(5, Image.Resampling.BILINEAR),
    "7 times, nearest": _scaled(7, Image.Resampling.NEAREST),
    "10 times, bicubic": _scaled(10, Image.Resampling.BICUBIC),
    "top left of 4 times the canvas": _in_corner(0, 0),
    "top right": _in_corner(0, 1),
    "bottom left": _in_corner(1, 0),
    "bottom right": _in_corner(1, 1),
    "inverted": _inverted,
    "transparent, black ink": _transparent(0),
    "transparent, white ink": _transparent(255),
    "palette": _palette(is_transparent=False),
    "palette, transparent ground": _palette(is_transparent=True),
    "16 bits": _deep,
    "CMYK": _cmyk,
    **{f"EXIF orientation {orientation}": _oriented(orientation) for orientation in _ORIENTED},
    **{
        f"JPEG of {side} pixels, quality {quality}": _jpeg(side, quality)
        for side in (SIDE, 112, 280)
        for quality in (30, 60, 95)
    },
    "dark ink under a ramp of light": _under_ramp(60, 255, is_dark_ink=True),
    "light ink under a ramp of light": _under_ramp(0, 130, is_dark_ink=False),
    **{f"paper of gray {level}, noisy": _on_gray(level) for level in (90, 140, 200)},
}
"""Every way by the name that the model card gives it."""


def _resized(image: Gray, side: int, resampling: Image.Resampling = Image.Resampling.BICUBIC) -> Gray:
    return np.asarray(Image.fromarray(image).resize((side, side), resampling))


def _on_paper(image: Gray, random: np.random.Generator) -> Floats:
    """Return the digit as shares of ink (LARGE, LARGE), 112 pixels of it somewhere on the paper."""
    ink = np.zeros((LARGE, LARGE))
    top, left = random.integers(0, LARGE - 112 + 1, 2)
    ink[top : top + 112, left : left + 112] = _resized(image, 112) / 255
    return ink


def _levels(gray: Floats) -> Gray:
    return np.clip(np.rint(gray), 0, 255).astype(np.uint8)


def _png(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    return _file(Image.fromarray(pixels), "PNG")


def _file(picture: Image.Image, file_format: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, file_format, **options)
    return file.getvalue()
