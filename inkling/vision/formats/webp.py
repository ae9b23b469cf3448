"""WebP files (https://developers.google.com/speed/webp/docs/riff_container)."""

import struct

from inkling.vision.formats.exif import read_orientation
from inkling.vision.formats.image_header import ImageHeader

MAX_CHUNKS = 10_000
DECODER_BYTES = 16
"""Per pixel: the decoder holds two frames of an animation, also where there is none; their copy; Pillow's image."""


def is_webp(content: bytes) -> bool:
    return content[:4] == b"RIFF" and content[8:12] == b"WEBP"


def webp_size(content: bytes) -> tuple[int, int]:
    """Return the width and height that a file claims.

    Raises:
        ValueError: its first chunk is none of the three that begin a picture.
        struct.error: it ends in its header.
    """
    kind = content[12:16]
    if kind == b"VP8X":
        low_w, high_w, low_h, high_h = struct.unpack_from("<HBHB", content, 24)
        return (low_w | high_w << 16) + 1, (low_h | high_h << 16) + 1
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", content, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", content, 26)
        return width & 0x3FFF, height & 0x3FFF
    raise ValueError("it does not begin with a picture")


def read_webp(content: bytes) -> ImageHeader:
    """Return the header; the file is left as it is.

    Raises:
        ValueError: its first chunk is none of the three that begin a picture.
        struct.error: it ends in its header.
    """
    width, height = webp_size(content)
    return ImageHeader("WEBP", width, height, DECODER_BYTES * width * height, content, _orientation(content))


def _orientation(content: bytes) -> int:
    position = 12
    for _ in range(MAX_CHUNKS):
        if position + 8 > len(content):
            break
        (length,) = struct.unpack_from("<I", content, position + 4)
        if content[position : position + 4] == b"EXIF":
            return read_orientation(content[position + 8 : position + 8 + length])
        position += 8 + length + length % 2
    return 1
