"""Image files, opened within limits, and decoded to images of 28x28 pixels or to pictures of any size."""

import io
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from inkling.digit import SIDE, Gray
from inkling.errors import ImageError, ImageSizeError, TooLargeError
from inkling.vision.fast_png import plain_png_pixels
from inkling.vision.gray import to_gray, to_gray_on_black

T = TypeVar("T")

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
MAX_PIXELS = 40_000_000
"""Default limit on the pixels of an image; a phone's photo has 12 million."""

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The operation that turns a picture upright, by its EXIF orientation."""


def decode_image(content: bytes, max_pixels: int = MAX_PIXELS, name: str = "the image") -> Gray:
    """Return the pixels (28, 28) of an image file, read as MNIST stores digits: light foreground on dark background.

    Colors become gray; transparent pixels are background, and dark strokes on them become light; the image is turned
    upright as EXIF says; of several frames the first counts.

    Args:
        content: the file.
        max_pixels: the limit on its pixels.
        name: its name in error messages.

    Raises:
        ImageError: not an image in one of FORMATS, or damaged.
        ImageSizeError: not 28x28.
        TooLargeError: more than `max_pixels`.
    """
    plain = plain_png_pixels(content)
    if plain is None or len(plain) > max_pixels:
        return open_image(content, max_pixels, name, lambda image: _pixels(image, name))
    return np.frombuffer(plain, np.uint8).reshape(SIDE, SIDE)


def decode_picture(content: bytes, max_pixels: int = MAX_PIXELS, name: str = "the image") -> Gray:
    """Return the gray levels (h, w) of an image file of any size, upright; of several frames the first counts.

    Args:
        content: the file.
        max_pixels: the limit on its pixels.
        name: its name in error messages.

    Raises:
        ImageError: not an image in one of FORMATS, or damaged.
        TooLargeError: more than `max_pixels`.
    """
    return open_image(content, max_pixels, name, _upright)


def png_bytes(picture: Gray | Image.Image) -> bytes:
    """Return a picture as the content of a PNG file."""
    file = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(file, "PNG")
    return file.getvalue()


def open_image(content: bytes, max_pixels: int, name: str, read: Callable[[Image.Image], T]) -> T:
    """Open an image file, without decoding it yet, and return what `read` returns for it.

    Raises:
        ImageError: not an image in one of FORMATS, or damaged.
        TooLargeError: more than `max_pixels`.
    """
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise TooLargeError(
                    f"{name} is {width}x{height}, {width * height} pixels; the limit is {max_pixels}: scale it down"
                )
            return read(image)
    except (ImageError, TooLargeError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TooLargeError(f"{name} has too many pixels, the limit is {max_pixels}: scale it down") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{name} ({len(content)} bytes) is not an image; {', '.join(FORMATS)} are read") from error
    except Exception as error:  # Pillow's decoders raise many kinds of exceptions for damaged files
        raise ImageError(f"{name} ({len(content)} bytes) is damaged: {error}") from error


def _pixels(image: Image.Image, name: str) -> Gray:
    width, height = image.size
    if image.size != (SIDE, SIDE):
        raise ImageSizeError(f"{name} is {width}x{height} pixels, expected {SIDE}x{SIDE}")
    return _turned(to_gray_on_black(image), image)


def _upright(image: Image.Image) -> Gray:
    image.draft("L", image.size)  # lets a JPEG skip decoding its colors
    return _turned(to_gray(image), image)


def _turned(gray: Gray, image: Image.Image) -> Gray:
    """Return the gray levels of an opened image upright, as its EXIF orientation says."""
    turn = _UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    if turn is None:
        return gray
    return np.asarray(Image.fromarray(gray).transpose(turn))
