"""The size that AV1 pictures have by their own stream, whatever the file around them claims.

https://aomediacodec.github.io/av1-spec/
"""

from collections.abc import Iterator

from inkling.vision.formats.bits import Bits

MAX_UNITS = 1_000
"""Units of a picture: its sequence header, messages, and its frame, in tiles."""
MAX_SEQUENCE_BYTES = 1 << 10
"""The size of a picture stands behind at most 32 operating points (section 5.5.1): some 500 bytes."""
MAX_FRAMES = 4
"""Of one picture, in up to four layers of rising quality (section 6.4.1)."""
_SEQUENCE, _FRAMES = 1, (3, 6)
"""Types of units (6.2.2): a sequence header; a frame's header, alone and with the frame."""
_CONFIGURATION_BYTES = 4


def largest_size(configuration: bytes, data: bytes) -> tuple[int, int]:
    """Return the largest width and height that a decoder makes room for.

    Args:
        configuration: the payload of the box av1C (https://aomediacodec.github.io/av1-isobmff/#av1codecconfigurationbox).
        data: of the picture: open bitstream units.

    Raises:
        ValueError: there are more units or frames than any encoder writes, or no sequence header.
        IndexError: they end early.
    """
    width = height = frames = 0
    for kind, unit in (*_units(configuration[_CONFIGURATION_BYTES:]), *_units(data)):
        if kind == _SEQUENCE:
            w, h = _sequence_size(Bits(unit))
            width, height = max(width, w), max(height, h)
        frames += kind in _FRAMES
    if frames > MAX_FRAMES:
        raise ValueError(f"one of its items holds {frames} frames; the limit is {MAX_FRAMES}")
    if not width:
        raise ValueError("it lacks the header of its picture")
    return width, height


def sample_bytes(configuration: bytes) -> float:
    """Return the bytes per pixel of the decoded planes."""
    flags = configuration[2]
    planes = 1.0 if flags & 0x10 else (3.0, 2.0, 2.0, 1.5)[flags >> 2 & 3]
    return planes * (2 if flags & 0x40 else 1)


def _units(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the type and the first bytes of each unit (5.3.1)."""
    position = 0
    for _ in range(MAX_UNITS):
        if position >= len(data):
            return
        head = data[position]
        position += 2 if head & 4 else 1
        length = len(data) - position
        if head & 2:
            length, position = _leb128(data, position)
        yield head >> 3 & 15, data[position : position + min(length, MAX_SEQUENCE_BYTES)]
        position += length
    raise ValueError(f"a picture in it has more than {MAX_UNITS} units")


def _leb128(data: bytes, position: int) -> tuple[int, int]:
    """Return a number of seven bits per byte, the lowest first (4.10.5), and where it ends."""
    value = 0
    for i in range(8):
        byte = data[position + i]
        value |= (byte & 0x7F) << 7 * i
        if not byte & 0x80:
            return value, position + i + 1
    raise IndexError("the number has no end")


def _sequence_size(bits: Bits) -> tuple[int, int]:
    """Return the largest size of the frames of a sequence (5.5.1)."""
    bits.read(4)
    if bits.read(1):  # the reduced header of a still picture
        bits.read(5)
    else:
        _skip_operating_points(bits)
    width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
    return bits.read(width_bits) + 1, bits.read(height_bits) + 1


def _skip_operating_points(bits: Bits) -> None:
    delay_bits = 0
    if bits.read(1):  # timing
        bits.read(64)
        if bits.read(1):
            bits.golomb()
        if bits.read(1):  # a model of the decoder
            delay_bits = bits.read(5) + 1
            bits.read(42)
    has_delays = bits.read(1)
    for _ in range(bits.read(5) + 1):
        bits.read(12)
        if bits.read(5) > 7:
            bits.read(1)
        if delay_bits and bits.read(1):
            bits.read(2 * delay_bits + 1)
        if has_delays and bits.read(1):
            bits.read(4)
