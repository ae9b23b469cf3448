"""PNG files, chunk by chunk (https://www.w3.org/TR/png-3/#5Chunk-layout)."""

import struct

from inkling.vision.formats.exif import read_orientation
from inkling.vision.formats.image_header import ImageHeader

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_CHUNKS = 50_000
"""16 MB in chunks of 8 KB, as libpng writes them, are 2,000."""
_PIXEL_CHUNKS = (b"PLTE", b"tRNS", b"IDAT", b"IEND")
_GRAY, _PALETTE = 0, 3


def png_size(content: bytes) -> tuple[int, int]:
    """Return the width and height that a file claims.

    Raises:
        struct.error: it ends in its header.
    """
    width, height = struct.unpack_from(">II", content, 16)
    return width, height


def read_png(content: bytes) -> ImageHeader:
    """Return the header, and the file with the chunks that its pixels need.

    Texts and color profiles are dropped, not decompressed: 60 KB of them inflate to many times as much.

    Raises:
        ValueError: the file does not begin with its header, or has too many chunks.
        struct.error: it ends in its header.
    """
    if content[12:16] != b"IHDR":
        raise ValueError("its first chunk is not IHDR")
    width, height = png_size(content)
    depth, color = content[24], content[25]
    view, position = memoryview(content), 33
    kept, orientation = [view[:position]], 1
    for _ in range(MAX_CHUNKS):
        if position + 8 > len(content):
            break
        name = content[position + 4 : position + 8]
        end = position + 12 + int.from_bytes(content[position : position + 4])
        if name in _PIXEL_CHUNKS:
            kept.append(view[position:end])
        elif name == b"eXIf" and orientation == 1:
            orientation = read_orientation(content[position + 8 : end - 4])
        if name == b"IEND":
            break
        position = end
    else:
        raise ValueError(f"it has more than {MAX_CHUNKS} chunks")
    channel_bytes = (2 if depth == 16 else 1) if color in (_GRAY, _PALETTE) else 4
    return ImageHeader("PNG", width, height, width * height * channel_bytes, b"".join(kept), orientation)
