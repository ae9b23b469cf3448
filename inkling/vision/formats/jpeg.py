"""JPEG files, segment by segment (ITU-T T.81, annex B)."""

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from inkling.vision.formats.exif import read_orientation
from inkling.vision.formats.image_header import ImageHeader

SIGNATURE = b"\xff\xd8\xff"
MAX_SEGMENTS = 5_000
MAX_SCANS = 64
"""Encoders write up to about 20. Each scan of a progressive file is a pass over the whole picture."""

_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL = {0xC0, 0xC1, 0xC9}
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}
_TABLES = {0xC4, 0xCC, 0xDB, 0xDC, 0xDD}
_JFIF, _EXIF, _ADOBE = 0xE0, 0xE1, 0xEE
_MARKER_IN_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""In a scan, 0xff is followed by 0 where it belongs to the data, or begins a restart marker."""


class _Frame(NamedTuple):
    marker: int
    width: int
    height: int
    samplings: list[tuple[int, int]]
    """Of each component: horizontal and vertical sampling factor."""

    @property
    def coefficient_bytes(self) -> float:
        """Memory of all coefficients: a decoder keeps them if the picture comes in several scans."""
        widest = max((h for h, _ in self.samplings), default=1) or 1
        highest = max((v for _, v in self.samplings), default=1) or 1
        samples = sum(h * v for h, v in self.samplings) / (widest * highest)
        return 2 * samples * self.width * self.height


def jpeg_size(content: bytes) -> tuple[int, int]:
    """Return the width and height that a file claims.

    Raises:
        ValueError: no frame comes before its first scan.
        struct.error: it ends in its header.
    """
    for marker, start, end in _segments(content):
        if marker in _FRAMES:
            frame = _read_frame(marker, content[start:end])
            return frame.width, frame.height
        if marker == _SOS:
            break
    raise ValueError("it has no frame header")


def read_jpeg(content: bytes) -> ImageHeader:
    """Return the header, and the file with the segments that its pixels need.

    Raises:
        ValueError: it has no frame, several, too many segments, or more scans than any encoder writes.
        struct.error: it ends in its header.
    """
    frame, scans, orientation = None, 0, 1
    kept = [content[:2]]
    for marker, start, end in _segments(content):
        if marker in _FRAMES:
            if frame:
                raise ValueError("it has more than one frame")
            frame = _read_frame(marker, content[start:end])
        elif marker == _SOS:
            scans += 1
            _check_scans(frame, scans)
        elif marker == _EXIF and orientation == 1 and content[start + 4 : start + 10] == b"Exif\0\0":
            orientation = read_orientation(content[start + 4 : end])
        if marker in _FRAMES or marker in _TABLES or marker in (_SOS, _JFIF, _ADOBE, _EOI):
            kept.append(content[start:end])
    if frame is None:
        raise ValueError("it has no frame header")
    pixels = frame.width * frame.height
    is_kept_whole = frame.marker not in _SEQUENTIAL or scans > 1
    decoder_bytes = pixels * (4 if len(frame.samplings) == 4 else 1)  # colors are decoded to gray
    decoder_bytes += int(frame.coefficient_bytes) if is_kept_whole else 0
    return ImageHeader("JPEG", frame.width, frame.height, decoder_bytes, b"".join(kept), orientation)


def _segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the marker, start and end of each segment; of a scan with its data."""
    position = 2
    for _ in range(MAX_SEGMENTS):
        start = content.find(b"\xff", position)
        if start < 0 or start + 1 >= len(content):
            return
        marker = content[start + 1]
        if marker in (0x00, 0xFF) or marker in _WITHOUT_LENGTH:
            position = start + (1 if marker == 0xFF else 2)
            continue
        if marker == _EOI:
            yield marker, start, start + 2
            return
        (length,) = struct.unpack_from(">H", content, start + 2)
        position = start + 2 + length
        if marker == _SOS:
            found = _MARKER_IN_SCAN.search(content, position)
            position = found.start() if found else len(content)
        yield marker, start, position
    raise ValueError(f"it has more than {MAX_SEGMENTS} segments")


def _read_frame(marker: int, segment: bytes) -> _Frame:
    height, width, count = struct.unpack_from(">HHB", segment, 5)
    samplings = [(factors >> 4, factors & 15) for factors in segment[11 : 10 + 3 * count : 3]]
    return _Frame(marker, width, height, samplings)


def _check_scans(frame: _Frame | None, scans: int) -> None:
    if frame is None:
        raise ValueError("a scan comes before its frame")
    limit = len(frame.samplings) if frame.marker in _SEQUENTIAL else MAX_SCANS
    if scans > limit:
        raise ValueError(f"it has more than {limit} scans, which no encoder writes; save it again")
