"""Image files recognized by their first bytes, and measured before Pillow opens them."""

import struct
from collections.abc import Callable

from inkling.errors import UnreadError
from inkling.vision.formats import bmp, gif, heif, jpeg, png, webp
from inkling.vision.formats.image_header import ImageHeader

_READERS: tuple[tuple[Callable[[bytes], bool], Callable[[bytes], ImageHeader]], ...] = (
    (lambda content: content.startswith(png.SIGNATURE), png.read_png),
    (lambda content: content.startswith(jpeg.SIGNATURE), jpeg.read_jpeg),
    (webp.is_webp, webp.read_webp),
    (lambda content: content.startswith(gif.SIGNATURES), gif.read_gif),
    (lambda content: content.startswith(bmp.SIGNATURE), bmp.read_bmp),
    (heif.is_heif, heif.read_heif),
)


def read_header(content: bytes) -> ImageHeader | None:
    """Return the header of an image file; None if it has none of the formats that are read.

    The time is at most some 50 ms, for 16 MB.

    Raises:
        UnreadError: the file is of a kind that is not read; the message says what to do.
        ValueError: it is damaged; the message says in what.
    """
    read = next((read for is_its_format, read in _READERS if is_its_format(content)), None)
    try:
        return read(content) if read else None
    except (struct.error, IndexError) as error:
        raise ValueError("it ends in its header") from error


def claimed_pixels(content: bytes) -> int:
    """Return the pixels that an image file claims to have, 0 if it is none: an estimate of its work, in 50 us."""
    try:
        if content.startswith(png.SIGNATURE):
            width, height = png.png_size(content)
        elif content.startswith(jpeg.SIGNATURE):
            width, height = jpeg.jpeg_size(content[:JPEG_HEADER_BYTES])
        elif webp.is_webp(content):
            width, height = webp.webp_size(content)
        elif content.startswith(gif.SIGNATURES):
            width, height = struct.unpack_from("<HH", content, 6)
        elif content.startswith(bmp.SIGNATURE):
            width, height = struct.unpack_from("<ii", content, 18)
        elif heif.is_heif(content):
            width, height = heif.heif_size(content)
        else:
            return 0
    except (struct.error, IndexError, ValueError, UnreadError):
        return 0
    return abs(width * height)


JPEG_HEADER_BYTES = 512 << 10
"""A JPEG's size is looked for in this many bytes; profiles and thumbnails may come before it."""
