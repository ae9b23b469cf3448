"""The boxes of ISO base media files (ISO/IEC 14496-12, section 4.2), of which HEIC and AVIF files consist."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

MAX_BOXES = 20_000
"""Of one level: a photograph of 1,000 tiles has some 1,000 at its deepest."""


class Box(NamedTuple):
    kind: bytes
    payload: bytes


def read_boxes(data: bytes, start: int = 0) -> Iterator[Box]:
    """Yield the boxes of one level, one behind the other, to the end of the data.

    Raises:
        ValueError: a box is shorter than its own head, or ends behind the data; or there are too many.
        struct.error: the data end in a head.
    """
    for kind, first, end in find_boxes(data, start):
        yield Box(kind, data[first:end])


def find_boxes(data: bytes, start: int = 0) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind of each box, and where its payload begins and ends; raises as `read_boxes`."""
    for _ in range(MAX_BOXES):
        if start == len(data):
            return
        size, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, start + 8)
            head = 16
        elif size == 0:  # to the end
            size = len(data) - start
        if size < head or size > len(data) - start:
            raise ValueError(f"its box {_shown(kind)} claims {size} bytes, of {len(data) - start} that follow")
        yield kind, start + head, start + size
        start += size
    raise ValueError(f"it has more than {MAX_BOXES} boxes")


def read_full(payload: bytes) -> tuple[int, int, bytes]:
    """Return the version, the flags, and the rest of the payload of a "full" box."""
    (word,) = struct.unpack_from(">I", payload)
    return word >> 24, word & 0xFFFFFF, payload[4:]


def box(kind: bytes, *parts: bytes) -> bytes:
    """Return a box."""
    return struct.pack(">I4s", 8 + sum(map(len, parts)), kind) + b"".join(parts)


def full_box(kind: bytes, *parts: bytes, version: int = 0, flags: int = 0) -> bytes:
    """Return a box with a version and flags."""
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def _shown(kind: bytes) -> str:
    return repr(kind.decode("latin-1"))
