"""A HEIC or AVIF file of one picture, rewritten with nothing that its pixels do not need.

A decoder sees these files only: one picture with its plane of opacity, if any. The tiles of a large photograph become
files of their own, so that decoding takes the memory of a tile.
"""

import struct
from typing import NamedTuple

from inkling.vision.formats.boxes import box, full_box
from inkling.vision.formats.heif_items import Property

COLOR, OPACITY = 1, 2
_BRANDS = {b"hvc1": b"heic", b"av01": b"avif"}
_HANDLER = full_box(b"hdlr", bytes(4), b"pict", bytes(12), b"\0")
_OFFSETS = b"\x44\0"
"""Offsets and lengths in the box `iloc` have four bytes."""


class Coded(NamedTuple):
    """A coded picture."""

    kind: bytes
    """hvc1 or av01."""
    properties: list[Property]
    data: bytes


def write_file(color: Coded, opacity: Coded | None = None) -> bytes:
    """Return the file of a picture."""
    brand = _BRANDS[color.kind]
    pictures = [color] if opacity is None else [color, opacity]
    head = box(b"ftyp", brand, bytes(4), b"mif1", brand, b"miaf")
    index = _index(pictures, 0)
    index = _index(pictures, len(head) + len(index) + 8)  # where the data begin, behind the head of their box
    return head + index + box(b"mdat", *(picture.data for picture in pictures))


def _index(pictures: list[Coded], data_start: int) -> bytes:
    entries, locations, associations = [], [], []
    known: list[bytes] = []
    for item, (kind, properties, data) in enumerate(pictures, 1):
        entries.append(full_box(b"infe", struct.pack(">HH4sx", item, 0, kind), version=2))
        locations.append(struct.pack(">HHHII", item, 0, 1, data_start, len(data)))
        data_start += len(data)
        indices = bytes(0x80 * prop.is_essential | len(known) + i for i, prop in enumerate(properties, 1))
        known += [box(prop.kind, prop.payload) for prop in properties]
        associations.append(struct.pack(">HB", item, len(indices)) + indices)
    count = struct.pack(">H", len(pictures))
    references = [] if len(pictures) == 1 else [full_box(b"iref", box(b"auxl", struct.pack(">HHH", OPACITY, 1, COLOR)))]
    return full_box(
        b"meta",
        _HANDLER,
        full_box(b"pitm", struct.pack(">H", COLOR)),
        full_box(b"iloc", _OFFSETS, count, *locations),
        full_box(b"iinf", count, *entries),
        *references,
        box(b"iprp", box(b"ipco", *known), full_box(b"ipma", bytes(2), count, *associations)),
    )
