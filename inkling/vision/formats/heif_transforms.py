"""The cut and the turns of the picture in a HEIC or AVIF file, before it is shown (ISO/IEC 23008-12, 6.5)."""

import struct
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from inkling.errors import UnreadError
from inkling.vision.formats.heif_items import Property

MAX_CUT, SMALL_PIXELS = 4, 128 * 128
"""A picture is at most so many times as large as what is shown of it, beside what pads a small one to whole blocks."""
_TURNS = (1, 8, 3, 6)
"""Orientations of EXIF that are turned upright by 0, 90, 180 and 270 degrees, anticlockwise."""
_MIRRORS = (4, 2)
"""Those that are by exchanging top and bottom, or left and right."""
_STEPS = {
    1: (0, 0, 0),
    2: (0, 1, 0),
    3: (0, 1, 1),
    4: (0, 0, 1),
    5: (1, 0, 0),
    6: (1, 1, 0),
    7: (1, 1, 1),
    8: (1, 0, 1),
}
"""Orientation -> whether rows and columns are exchanged, and then left and right, and top and bottom."""
_DESCRIPTIVE = frozenset({b"hvcC", b"av1C", b"ispe", b"pixi", b"auxC", b"colr"})


class Transforms(NamedTuple):
    corner: tuple[int, int]
    """Where the picture begins, in pixels from the left and top of the coded one."""
    width: int
    height: int
    """Of the picture before it is turned."""
    orientation: int
    """As in EXIF, whose own orientation does not count in these files."""


def read_transforms(properties: Sequence[Property], width: int, height: int) -> Transforms:
    """Return what the properties of a picture do to it, in their order.

    Raises:
        UnreadError: one without which the picture cannot be shown is not known.
        ValueError: one is damaged.
        struct.error, IndexError: one ends early.
    """
    result = Transforms((0, 0), width, height, 1)
    for kind, payload, is_essential in properties:
        if kind == b"irot":
            result = result._replace(orientation=_combined(result.orientation, _TURNS[payload[0] & 3]))
        elif kind == b"imir":
            result = result._replace(orientation=_combined(result.orientation, _MIRRORS[payload[0] & 1]))
        elif kind == b"clap" and result == Transforms((0, 0), width, height, 1):
            result = _cut(payload, width, height)
        elif is_essential and kind not in _DESCRIPTIVE:
            raise UnreadError(f"it cannot be shown without its property {kind.decode('latin-1')!r}; save it as PNG")
    return result


def _combined(first: int, second: int) -> int:
    """Return the orientation that is turned upright as one is, and then another."""
    exchanged, across, down = _STEPS[first]
    exchanges_again, *flips = _STEPS[second]
    if exchanges_again:
        across, down = down, across
    step = (exchanged ^ exchanges_again, across ^ flips[0], down ^ flips[1])
    return next(orientation for orientation, known in _STEPS.items() if known == step)


def _cut(payload: bytes, width: int, height: int) -> Transforms:
    """Return the "clean aperture": its size, and the offset of its center from the picture's, as fractions."""
    terms = struct.unpack_from(">IIIIiIiI", payload)
    if 0 in terms[1::2]:
        raise ValueError("its clean aperture divides by 0")
    inner_width, inner_height, across, down = (Fraction(*terms[i : i + 2]) for i in range(0, 8, 2))
    left, top = (width - inner_width) / 2 + across, (height - inner_height) / 2 + down
    if not (0 <= left <= width - inner_width and 0 <= top <= height - inner_height):
        raise ValueError("its clean aperture is not inside of it")
    if MAX_CUT * inner_width * inner_height + SMALL_PIXELS < width * height:
        raise UnreadError(f"most of it is cut off: {inner_width}x{inner_height} of {width}x{height}; save it as PNG")
    return Transforms((int(left), int(top)), int(inner_width), int(inner_height), 1)
