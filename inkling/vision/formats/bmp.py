"""BMP files (https://learn.microsoft.com/windows/win32/gdi/bitmap-storage)."""

import struct

from inkling.vision.formats.image_header import ImageHeader

SIGNATURE = b"BM"
_CORE_HEADER, _RLE = 12, (1, 2)


def read_bmp(content: bytes) -> ImageHeader:
    """Return the header; the file is left as it is.

    Raises:
        struct.error: it ends in its header.
    """
    (header_bytes,) = struct.unpack_from("<I", content, 14)
    if header_bytes == _CORE_HEADER:
        width, height, _, bits = struct.unpack_from("<HHHH", content, 18)
        compression = 0
    else:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", content, 18)
    width, height = abs(width), abs(height)  # a negative height: from top to bottom
    pixel_bytes = 3 if compression in _RLE else 1 if bits <= 8 else 4
    return ImageHeader("BMP", width, height, width * height * pixel_bytes, content)
