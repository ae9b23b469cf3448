"""The items of a HEIC or AVIF file: pictures, their parts and properties, where their bytes are (ISO/IEC 23008-12)."""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from inkling.vision.formats.boxes import find_boxes, read_boxes, read_full

MAX_INDEX_BYTES = 1 << 20
"""Of the box `meta`: photographs have some 10 KB, and 100 KB if they have a thousand tiles."""
MAX_ENTRIES = 20_000
"""Of each table."""


class Property(NamedTuple):
    kind: bytes
    payload: bytes
    is_essential: bool
    """Whether the picture cannot be read without it."""


class _Extents(NamedTuple):
    is_in_index: bool
    """Whether the bytes are in the index itself (the box `idat`)."""
    parts: list[tuple[int, int]]
    """Offset and length of each; a length of 0: to the end."""


class HeifItems:
    """Reads the index of a file; what an item needs is looked up when it is asked for.

    Raises:
        ValueError: it has no index, or a damaged one.
        struct.error, IndexError: it ends early.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        boxes = dict(reversed(list(read_boxes(_index(content)))))  # of each kind the first
        self.primary = _read_primary(boxes)
        self._kinds = dict(_read_kinds(boxes))
        self._references = _read_references(boxes)
        self._referring: defaultdict[tuple[bytes, int], list[int]] = defaultdict(list)
        for (kind, source), targets in self._references.items():
            for target in targets:
                self._referring[kind, target].append(source)
        self._properties = _read_properties(boxes)
        self._locations = dict(_read_locations(boxes))
        self._index_data = boxes.get(b"idat", b"")

    def kind(self, item: int) -> bytes:
        """Return the type of an item, such as hvc1, av01 or grid."""
        if item not in self._kinds:
            raise ValueError(f"it refers to an item {item} that it does not have")
        return self._kinds[item]

    def properties(self, item: int) -> list[Property]:
        """Return the properties of an item, in their order."""
        return self._properties[item]

    def references(self, kind: bytes, item: int) -> list[int]:
        """Return the items that an item refers to, such as the tiles of a grid (dimg)."""
        return self._references[kind, item]

    def referring(self, kind: bytes, item: int) -> list[int]:
        """Return the items that refer to an item, such as its plane of opacity (auxl)."""
        return self._referring[kind, item]

    def data(self, item: int) -> bytes:
        """Return the bytes of an item."""
        if item not in self._locations:
            raise ValueError(f"its item {item} has no bytes")
        is_in_index, parts = self._locations[item]
        whole = self._index_data if is_in_index else self._content
        bounds = [(offset, offset + length if length else len(whole)) for offset, length in parts]
        for start, end in bounds:
            if not start < end <= len(whole):
                raise ValueError(f"its item {item} lies beyond its end: bytes {start} to {end} of {len(whole)}")
        if sum(end - start for start, end in bounds) > len(whole):
            raise ValueError(f"the parts of its item {item} overlap")
        return b"".join([whole[start:end] for start, end in bounds])


def _index(content: bytes) -> bytes:
    """Return the boxes in the first box `meta`; what follows it may have been cut off."""
    for kind, start, end in find_boxes(content):
        if kind == b"meta":
            if end - start > MAX_INDEX_BYTES:
                raise ValueError(f"its index has {end - start} bytes; the limit is {MAX_INDEX_BYTES}")
            return read_full(content[start:end])[2]
    raise ValueError("it has no index (the box `meta`)")


def _full(boxes: dict[bytes, bytes], kind: bytes) -> tuple[int, int, bytes]:
    if kind not in boxes:
        raise ValueError(f"its index lacks the box {kind.decode()!r}")
    return read_full(boxes[kind])


def _read_primary(boxes: dict[bytes, bytes]) -> int:
    version, _, rest = _full(boxes, b"pitm")
    return _number(rest, 0, 4 if version else 2)


def _read_kinds(boxes: dict[bytes, bytes]) -> Iterator[tuple[int, bytes]]:
    version, _, rest = _full(boxes, b"iinf")
    for kind, payload in read_boxes(rest, 4 if version else 2):
        if kind != b"infe":
            continue
        version, _, entry = read_full(payload)
        if version < 2:  # of a time before pictures
            continue
        id_bytes = 2 if version == 2 else 4
        yield _number(entry, 0, id_bytes), entry[id_bytes + 2 : id_bytes + 6]


def _read_references(boxes: dict[bytes, bytes]) -> defaultdict[tuple[bytes, int], list[int]]:
    references: defaultdict[tuple[bytes, int], list[int]] = defaultdict(list)
    if b"iref" not in boxes:
        return references
    version, _, rest = _full(boxes, b"iref")
    id_bytes = 4 if version else 2
    entries = 0
    for kind, payload in read_boxes(rest):
        count = _number(payload, id_bytes, 2)
        entries = _checked(entries + count)
        targets = [_number(payload, id_bytes + 2 + i * id_bytes, id_bytes) for i in range(count)]
        references[kind, _number(payload, 0, id_bytes)] += targets
    return references


def _read_properties(boxes: dict[bytes, bytes]) -> defaultdict[int, list[Property]]:
    properties: defaultdict[int, list[Property]] = defaultdict(list)
    parts = list(read_boxes(boxes.get(b"iprp", b"")))
    known = [item for kind, payload in parts if kind == b"ipco" for item in read_boxes(payload)]
    for payload in (payload for kind, payload in parts if kind == b"ipma"):
        version, flags, rest = read_full(payload)
        id_bytes, index_bytes = 4 if version else 2, 2 if flags & 1 else 1
        essential = 1 << 8 * index_bytes - 1
        position, entries = 4, 0
        for _ in range(_checked(_number(rest, 0, 4))):
            item, count = _number(rest, position, id_bytes), rest[position + id_bytes]
            position += id_bytes + 1
            entries = _checked(entries + count)
            for start in range(position, position + count * index_bytes, index_bytes):
                index = _number(rest, start, index_bytes)
                if index & ~essential:  # 0: none
                    kind, value = known[(index & ~essential) - 1]
                    properties[item].append(Property(kind, value, bool(index & essential)))
            position += count * index_bytes
    return properties


def _read_locations(boxes: dict[bytes, bytes]) -> Iterator[tuple[int, _Extents]]:
    version, _, rest = _full(boxes, b"iloc")
    offset_bytes, length_bytes, base_bytes = rest[0] >> 4, rest[0] & 15, rest[1] >> 4
    index_bytes = rest[1] & 15 if version else 0
    id_bytes = 2 if version < 2 else 4
    position, entries = 2 + id_bytes, 0
    for _ in range(_checked(_number(rest, 2, id_bytes))):
        item = _number(rest, position, id_bytes)
        position += id_bytes
        method = rest[position + 1] & 15 if version else 0
        position += 2 if version else 0
        source, base = _number(rest, position, 2), _number(rest, position + 2, base_bytes)
        position += 2 + base_bytes
        count = _number(rest, position, 2)
        position += 2
        entries = _checked(entries + count)
        parts = []
        for _ in range(count):
            position += index_bytes
            parts.append(
                (base + _number(rest, position, offset_bytes), _number(rest, position + offset_bytes, length_bytes))
            )
            position += offset_bytes + length_bytes
        if method in (0, 1) and source == 0:  # in this file, not in another one or in another item
            yield item, _Extents(method == 1, parts)


def _number(data: bytes, start: int, size: int) -> int:
    """Return a number of some bytes."""
    if start + size > len(data):
        raise IndexError("the data have ended")
    return int.from_bytes(data[start : start + size])


def _checked(count: int) -> int:
    if count > MAX_ENTRIES:
        raise ValueError(f"a table in its index has {count} entries; the limit is {MAX_ENTRIES}")
    return count
