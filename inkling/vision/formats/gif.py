"""GIF files, block by block (https://www.w3.org/Graphics/GIF/spec-gif89a.txt)."""

import struct

from inkling.vision.formats.image_header import ImageHeader

SIGNATURES = (b"GIF87a", b"GIF89a")
MAX_BLOCKS = 20_000
"""Blocks of up to 255 bytes before the first picture: texts and profiles of up to 5 MB."""
_CONTROL = 0xF9
_EXTENSION, _PICTURE = b"!", b","


def read_gif(content: bytes) -> ImageHeader:
    """Return the header, with the size of screen and first picture together, and the file without its texts.

    Pillow reads each text into one that it copies as it grows.

    Raises:
        ValueError: it has no picture, or too many blocks before it.
        struct.error, IndexError: it ends in its header.
    """
    width, height, flags = struct.unpack_from("<HHB", content, 6)
    position = 13 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
    kept = [content[:position]]
    blocks = 0
    while content[position : position + 1] == _EXTENSION:
        start, kind = position, content[position + 1]
        position += 2
        while content[position]:
            position += 1 + content[position]
            blocks += 1
            if blocks > MAX_BLOCKS:
                raise ValueError(f"it has more than {MAX_BLOCKS} blocks before its picture")
        position += 1
        if kind == _CONTROL and position - start <= 8:
            kept.append(content[start:position])
    if content[position : position + 1] != _PICTURE:
        raise ValueError("it has no picture")
    left, top, columns, rows = struct.unpack_from("<HHHH", content, position + 1)
    width, height = max(width, left + columns), max(height, top + rows)
    kept.append(content[position:])
    return ImageHeader("GIF", width, height, 2 * width * height, b"".join(kept))
