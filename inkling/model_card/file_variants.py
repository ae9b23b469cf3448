"""Variants of image files: a test image (28, 28) in, a file of another size, format or lighting out.

No variant makes a digit harder to read for a person, so `fit=mnist` should lose none of them.
"""

import io
import zlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from inkling.digit import SIDE, Gray, Images
from inkling.vision.image_files import png_bytes

Encode = Callable[[Gray, np.random.Generator], bytes]

PAPER_SIDE = 140
"""Pixels of a side of the simulated photographs."""
DIGIT_ON_PAPER = 112
"""Pixels of a side of the test image on such a photograph."""
SEEDS = {
    "dark digit, uneven light": 0xE7AF14B1,
    "light digit, uneven light": 0xF5DA1E30,
    "gray paper of level 90, noisy": 0x65164FBB,
    "gray paper of level 140, noisy": 0xC385D6EA,
    "gray paper of level 200, noisy": 0x755E3CE5,
}
"""The seed of a variant is the CRC-32 of its name. Those that were renamed keep their first seeds here, so that they
make the same files as before, and the figures of different cards can be compared."""

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
"""By EXIF orientation: how a camera transposes a picture that viewers turn upright again."""


def file_variants(name: str, images: Images) -> list[bytes]:
    """Return one image file per image (n, 28, 28), in the variant of that name; the same files every time."""
    seed = SEEDS.get(name, zlib.crc32(name.encode()))
    return [FILE_VARIANTS[name](image, np.random.default_rng([seed, i])) for i, image in enumerate(images)]


def _scaled(factor: int, resampling: Image.Resampling) -> Encode:
    return lambda image, random: png_bytes(_resized(image, factor * SIDE, resampling))


def _in_corner(row: int, column: int) -> Encode:
    def encode(image: Gray, random: np.random.Generator) -> bytes:
        canvas = np.zeros((4 * SIDE, 4 * SIDE), np.uint8)
        canvas[row * 3 * SIDE :, column * 3 * SIDE :][:SIDE, :SIDE] = image
        return png_bytes(canvas)

    return encode


def _inverted(image: Gray, random: np.random.Generator) -> bytes:
    return png_bytes(255 - image)


def _transparent(gray: int) -> Encode:
    """Store the digit in the alpha channel, with one gray level everywhere."""

    def encode(image: Gray, random: np.random.Generator) -> bytes:
        rgb = np.full((SIDE, SIDE, 3), gray, np.uint8)
        return png_bytes(np.concatenate([rgb, image[..., np.newaxis]], axis=2))

    return encode


def _palette(*, is_transparent: bool) -> Encode:
    def encode(image: Gray, random: np.random.Generator) -> bytes:
        picture = Image.fromarray(255 - image).quantize(64)
        return _file(picture, "PNG", **({"transparency": picture.getpixel((0, 0))} if is_transparent else {}))

    return encode


def _deep(image: Gray, random: np.random.Generator) -> bytes:
    return _file(Image.fromarray(image.astype(np.uint16) * 257), "PNG")


def _cmyk(image: Gray, random: np.random.Generator) -> bytes:
    blank = Image.new("L", (4 * SIDE, 4 * SIDE))
    key = Image.fromarray(_resized(image, 4 * SIDE))
    return _file(Image.merge("CMYK", [blank, blank, blank, key]), "JPEG", quality=90)


def _oriented(orientation: int) -> Encode:
    def encode(image: Gray, random: np.random.Generator) -> bytes:
        picture = Image.fromarray(255 - _resized(image, 3 * SIDE))
        turn = _ORIENTED[orientation]
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        return _file(picture.transpose(turn) if turn is not None else picture, "JPEG", quality=90, exif=exif)

    return encode


def _jpeg(side: int, quality: int) -> Encode:
    return lambda image, random: _file(Image.fromarray(_resized(image, side)), "JPEG", quality=quality)


def _under_uneven_light(low: int, high: int, *, is_dark: bool) -> Encode:
    """Simulate a photograph of paper whose lightness rises from `low` to `high` in a random direction.

    Args:
        low: gray level of the paper where the light is weakest.
        high: gray level where it is strongest.
        is_dark: whether the digit is darker than the paper.
    """

    def encode(image: Gray, random: np.random.Generator) -> bytes:
        digit = _on_paper(image, random)
        angle = random.uniform(0, 2 * np.pi)
        y, x = np.mgrid[:PAPER_SIDE, :PAPER_SIDE] / (PAPER_SIDE - 1) - 0.5
        light = y * np.sin(angle) + x * np.cos(angle)
        paper = low + (high - low) * (light - light.min()) / np.ptp(light)
        return png_bytes(_levels(paper * (1 - 0.75 * digit) if is_dark else paper + 150 * digit))

    return encode


def _on_gray(level: int) -> Encode:
    """Simulate a photograph of gray paper, with noise of standard deviation 12."""

    def encode(image: Gray, random: np.random.Generator) -> bytes:
        paper = level * (1 - 0.6 * _on_paper(image, random))
        return png_bytes(_levels(paper + random.normal(0, 12, paper.shape)))

    return encode


FILE_VARIANTS: dict[str, Encode] = {
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
    "transparent, black digit": _transparent(0),
    "transparent, white digit": _transparent(255),
    "palette": _palette(is_transparent=False),
    "palette, transparent background": _palette(is_transparent=True),
    "16 bits": _deep,
    "CMYK": _cmyk,
    **{f"EXIF orientation {orientation}": _oriented(orientation) for orientation in _ORIENTED},
    **{
        f"JPEG of {side} pixels, quality {quality}": _jpeg(side, quality)
        for side in (SIDE, 112, 280)
        for quality in (30, 60, 95)
    },
    "dark digit, uneven light": _under_uneven_light(60, 255, is_dark=True),
    "light digit, uneven light": _under_uneven_light(0, 130, is_dark=False),
    **{f"gray paper of level {level}, noisy": _on_gray(level) for level in (90, 140, 200)},
}
"""Every variant by its name in the model card."""


def _resized(image: Gray, side: int, resampling: Image.Resampling = Image.Resampling.BICUBIC) -> Gray:
    return np.asarray(Image.fromarray(image).resize((side, side), resampling))


def _on_paper(image: Gray, random: np.random.Generator) -> NDArray[np.float64]:
    """Return the image, 0 to 1, at a random position on paper (PAPER_SIDE, PAPER_SIDE)."""
    paper = np.zeros((PAPER_SIDE, PAPER_SIDE))
    top, left = random.integers(0, PAPER_SIDE - DIGIT_ON_PAPER + 1, 2)
    paper[top : top + DIGIT_ON_PAPER, left : left + DIGIT_ON_PAPER] = _resized(image, DIGIT_ON_PAPER) / 255
    return paper


def _levels(gray: NDArray[np.float64]) -> Gray:
    return np.clip(np.rint(gray), 0, 255).astype(np.uint8)


def _file(picture: Image.Image, file_format: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, file_format, **options)
    return file.getvalue()
