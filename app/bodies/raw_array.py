"""Request bodies of raw bytes -> images, unless the bytes are surely something else."""

import numpy as np
from numpy.typing import NDArray

from app.bodies.limits import UploadLimits
from inkling.digit import NUM_PIXELS, SIDE, Images
from inkling.errors import ImageError

SAMPLE_BYTES = 16 * NUM_PIXELS
"""Bytes that are looked at before all of them are."""
LEAST_PAIRS = 8
"""Neighbors that are both lit, in any digit: a digit's strokes are wider than one pixel."""
LEAST_STEP = 1e-4
"""Numbers that are scaled have steps of at least 1/255; bytes of pixels, read as floats, nearly always smaller ones."""

_WIDER_TYPES = ("<f4", "<f8", "<i4", "<i8", "<u2", "<f2", ">f4", ">f8", ">i4", ">i8", ">u2", ">f2")
_TEXT = bytes(range(32, 127)) + b"\t\r\n"


def raw_images(body: bytes, limits: UploadLimits, kind: str | None) -> Images:
    """Return the images (n, 28, 28) of raw bytes, 784 per image.

    Args:
        body: the bytes.
        limits: on the number of images.
        kind: the kind of file that the bytes are, None if they are none.

    Raises:
        ImageError: no multiple of 784 bytes, or a file, text, wider numbers or colors.
        TooLargeError: too many images.
    """
    if kind:
        raise ImageError(f"the body is {kind}, not raw pixels; send it with its own Content-Type")
    count, rest = divmod(len(body), NUM_PIXELS)
    if body[0] in _TEXT and not body.translate(None, _TEXT):
        raise ImageError(
            f"the body is text ({len(body)} characters), expected {NUM_PIXELS} bytes per image; "
            "send numbers as application/json"
        )
    if rest:
        raise ImageError(f"the body is {len(body)} bytes long, expected a multiple of {NUM_PIXELS}: one byte per pixel")
    limits.check_count(count)
    if count > 1:
        _check_width(body, count)
    return np.frombuffer(body, np.uint8).reshape(count, SIDE, SIDE)


def _check_width(body: bytes, count: int) -> None:
    """Refuse images of wider numbers or of colors, whose bytes are a multiple of 784 too."""
    for name in _WIDER_TYPES:
        width = np.dtype(name).itemsize
        if count % width == 0 and _is_wide(body[:SAMPLE_BYTES], name) and _is_wide(body, name):
            found = np.dtype(name).name
            raise ImageError(
                f"the body is {len(body)} bytes long, which look like {count // width} images of {found} "
                f"({width} bytes per pixel); send uint8, one byte per pixel: array.astype(np.uint8), "
                "with numbers 0 to 255"
            )
    for name, channels in (("RGB", 3), ("RGBA", 4)):
        if count % channels == 0 and _is_colored(body[:SAMPLE_BYTES], channels) and _is_colored(body, channels):
            raise ImageError(
                f"the body is {len(body)} bytes long, which look like {count // channels} images of {name} "
                f"({channels} bytes per pixel); send gray levels, one byte per pixel"
            )


def _is_wide(body: bytes, dtype: str) -> bool:
    """Return whether all bytes, read as numbers of a wider type, are such as an image has, with strokes."""
    numbers = np.frombuffer(body[: len(body) // 8 * 8], dtype)
    if not 0 < numbers.max() <= 255 or numbers.min() < 0:  # NaN is none of them
        return False
    is_lit = numbers > 0
    if (is_lit[1:] & is_lit[:-1]).sum() < LEAST_PAIRS:
        return False
    return numbers.dtype.kind != "f" or bool(numbers[is_lit].min() >= LEAST_STEP)


def _is_colored(body: bytes, channels: int) -> bool:
    """Return whether all pixels, read as colors, are gray and opaque, and differ from each other."""
    colors: NDArray[np.uint8] = np.frombuffer(body[: len(body) // channels * channels], np.uint8).reshape(-1, channels)
    is_gray = (colors[:, :3] == colors[:, :1]).all()
    is_opaque = channels == 3 or (colors[:, 3] == 255).all()
    return bool(is_gray and is_opaque and np.ptp(colors[:, 0]) > 0)
