"""A decoder for the plainest PNG of a digit, which does not open it as an image file."""

import struct
import threading
import zlib
from functools import cache

from PIL import Image

from inkling.digit import SIDE

_HEADER = b"IHDR" + struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0)  # 8 bits of gray, not interlaced
_START = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + _HEADER + struct.pack(">I", zlib.crc32(_HEADER))
_END = struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
_DATA = len(_START) + 4
"""Where the type of the second chunk begins (https://www.w3.org/TR/png-3/#5Chunk-layout)."""


def plain_png_pixels(content: bytes) -> bytes | None:
    """Return the 784 pixels of a PNG of 28x28 gray pixels in one IDAT chunk; None for any other file, valid or not.

    Most encoders write such a file. Pillow takes 24 us to open it, to look for other chunks and to decode it; its
    decoder alone, which is called here, takes 6. The caller passes every other file to Pillow, which reads it or
    explains what is wrong with it.
    """
    if not (content.startswith(_START) and content.endswith(_END)):
        return None
    length, name = content[_DATA - 4 : _DATA], content[_DATA : _DATA + 4]
    data, checksum = content[_DATA : -len(_END) - 4], content[-len(_END) - 4 : -len(_END)]
    if name != b"IDAT" or int.from_bytes(length) != len(data) - 4 or int.from_bytes(checksum) != zlib.crc32(data):
        return None
    return _frame.decode(data[4:]) if decodes_in_place() else None


class _Frame(threading.local):
    """Memory for one picture, and a Pillow image that shares it: made once per thread, because that takes 3 us."""

    def __init__(self, side: int) -> None:
        self._pixels = bytearray(side * side)
        self._image = Image.frombuffer("L", (side, side), self._pixels, "raw", "L", 0, 1)

    def decode(self, data: bytes) -> bytes | None:
        """Return the pixels (side, side) of a PNG's compressed rows; None if they or their checksum are damaged."""
        try:
            self._image.frombytes(data, "zip", ("L", 0))
        except (ValueError, OSError):
            return None
        return bytes(self._pixels)


_frame = _Frame(SIDE)


@cache
def decodes_in_place() -> bool:
    """Return whether Pillow decodes an image into the memory that it was given: it does, but does not promise it."""
    return _Frame(1).decode(zlib.compress(b"\0\7")) == b"\7"
