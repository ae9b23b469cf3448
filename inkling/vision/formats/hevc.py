"""The size that HEVC pictures have by their own stream (ITU-T H.265), whatever the file around them claims."""

import struct
from collections.abc import Iterator

from inkling.vision.formats.bits import Bits

MAX_UNITS = 1_000
"""Units of a picture: parameter sets, messages, and slices, of which 4K pictures have some 10."""
MAX_PARAMETER_BYTES = 1 << 10
"""The size of a picture stands in the first bytes of its parameters: 88 bytes at most (section 7.3.2.2)."""
_PARAMETERS, _FIRST_OTHER = 33, 32
"""Types of units (7.4.2.2): the parameters of a sequence; below 32 are slices."""
_BEGINS_PICTURE = 0x80
"""In the first byte of a slice (7.3.6.1)."""
_PROFILE_BITS, _LEVEL_BITS = 88, 8
_SEPARATE_PLANES = 3


def largest_size(configuration: bytes, data: bytes) -> tuple[int, int]:
    """Return the largest width and height that a decoder makes room for.

    Args:
        configuration: the payload of the box hvcC (ISO/IEC 14496-15, 8.3.3.1).
        data: of the picture: units, each behind its length.

    Raises:
        ValueError: there are more units than any encoder writes, several pictures, or no parameters.
        struct.error, IndexError: they end early.
    """
    width = height = pictures = 0
    length_bytes = (configuration[21] & 3) + 1
    for unit in (*_configured(configuration), *_units(data, length_bytes)):
        kind, layer = unit[0] >> 1 & 0x3F, (unit[0] & 1) << 5 | unit[1] >> 3
        if kind == _PARAMETERS and layer == 0:
            w, h = _parameters_size(unit)
            width, height = max(width, w), max(height, h)
        elif kind < _FIRST_OTHER and unit[2] & _BEGINS_PICTURE:
            pictures += 1
    if pictures > 1:  # a decoder would do them all
        raise ValueError(f"one of its items holds {pictures} pictures, expected 1")
    if not width:
        raise ValueError("it lacks the parameters of its picture")
    return width, height


def sample_bytes(configuration: bytes) -> float:
    """Return the bytes per pixel of the decoded planes."""
    chroma, depth = configuration[16] & 3, 8 + (configuration[17] & 7)
    return (1.0, 1.5, 2.0, 3.0)[chroma] * (2 if depth > 8 else 1)


def _configured(configuration: bytes) -> Iterator[bytes]:
    position = 23
    for _ in range(configuration[22]):
        (count,) = struct.unpack_from(">H", configuration, position + 1)
        position += 3
        for _ in range(count):
            (length,) = struct.unpack_from(">H", configuration, position)
            yield configuration[position + 2 : position + 2 + min(length, MAX_PARAMETER_BYTES)]
            position += 2 + length


def _units(data: bytes, length_bytes: int) -> Iterator[bytes]:
    position = 0
    for _ in range(MAX_UNITS):
        if position >= len(data):
            return
        length = int.from_bytes(data[position : position + length_bytes])
        position += length_bytes
        yield data[position : position + min(length, MAX_PARAMETER_BYTES)]
        position += length
    raise ValueError(f"a picture in it has more than {MAX_UNITS} units")


def _parameters_size(unit: bytes) -> tuple[int, int]:
    """Return the size in a sequence parameter set (7.3.2.2), before its margins are cut off."""
    bits = Bits(unit[2:].replace(b"\0\0\3", b"\0\0"))  # without the bytes that keep it free of start codes
    bits.read(4)
    sub_layers = bits.read(3)
    bits.read(1 + _PROFILE_BITS + _LEVEL_BITS)
    present = [(bits.read(1), bits.read(1)) for _ in range(sub_layers)]
    bits.read(2 * (8 - sub_layers) if sub_layers else 0)
    for has_profile, has_level in present:
        bits.read(_PROFILE_BITS * has_profile + _LEVEL_BITS * has_level)
    bits.golomb()
    if bits.golomb() == _SEPARATE_PLANES:
        bits.read(1)
    return bits.golomb(), bits.golomb()
