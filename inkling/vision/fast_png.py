"""A decoder for the plainest PNG of a digit, which does not open it as an image file."""

import struct
import zlib
from functools import cache

from PIL import Image

from inkling.digit import SIDE

_HEADER = b"IHDR" + struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0)  # 8 bits of gray, not interlaced
_START = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + _HEADER + struct.pack(">I", zlib.crc32(_HEADER))
_END = struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
_DATA = len(_START) + 4
"""Where the type of the second chunk begins (https://www.w3.org/TR/png-3/#5Chunk-layout)."""


def plain_png_pixels(content: bytes) -> bytearray | None:
    """Return the 784 pixels of a PNG of 28x28 gray pixels in one IDAT chunk; None for any other file, valid or not.

    Most encoders write such a file. Pillow takes 24 us to open it, to look for other chunks and to decode it; its
    decoder alone, which is called here, takes 8. The caller passes every other file to Pillow, which reads it or
    explains what is wrong with it.
    """
    if not (content.startswith(_START) and content.endswith(_END)):
        return None
    length, name = content[_DATA - 4 : _DATA], content[_DATA : _DATA + 4]
    data, checksum = content[_DATA : -len(_END) - 4], content[-len(_END) - 4 : -len(_END)]
    if name != b"IDAT" or int.from_bytes(length) != len(data) - 4 or int.from_bytes(checksum) != zlib.crc32(data):
        return None
    return _decoded(data[4:], SIDE) if decodes_in_place() else None


def _decoded(data: bytes, side: int) -> bytearray | None:
    """Return the pixels (side, side) of a PNG's compressed rows; None if they or their checksum are damaged."""
    pixels = bytearray(side * side)
    image = Image.frombuffer("L", (side, side), pixels, "raw", "L", 0, 1)  # shares the memory of `pixels`
    try:
        image.frombytes(data, "zip", ("L", 0))
    except (ValueError, OSError):
        return None
    return pixels


@cache
def decodes_in_place() -> bool:
    """Return whether Pillow decodes an image into the memory that it was given: it does, but does not promise it."""
    pixels = _decoded(zlib.compress(b"\0\7"), 1)
    return pixels is not None and pixels == b"\7"
