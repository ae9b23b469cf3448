"""The orientation in EXIF data.

Pillow reads all tags, and a few bytes can claim gigabytes of them. This reads one.
"""

import struct

_ORIENTATION, _SHORT = 0x0112, 3
_ENTRY_BYTES = 12


def read_orientation(exif: bytes) -> int:
    """Return the orientation, 1 to 8, of EXIF data, with or without their prefix; 1 if there is none.

    TIFF 6.0, section 2: a byte order, then the offset of a list of entries of 12 bytes: tag, type, count, value.
    """
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    try:
        (offset,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, offset)
        for i in range(count):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, offset + 2 + i * _ENTRY_BYTES)
            if (tag, kind) == (_ORIENTATION, _SHORT):
                return value if 1 <= value <= 8 else 1
    except struct.error:  # it ends early
        pass
    return 1
