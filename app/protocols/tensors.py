"""Tensors in binary form, as the Open Inference Protocol packs them: little-endian, row by row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from app.errors import ProtocolError
from app.protocols.pixels import Pixels, count_images, to_levels
from inkling.digit import NUM_PIXELS

BYTES: Final = "BYTES"
_LENGTH_BYTES: Final = 4


@dataclass(frozen=True)
class NumberType:
    """A datatype whose numbers are pixels."""

    dtype: np.dtype[np.generic]
    is_unit: bool
    """Whether their scale is 0 to 1, and not 0 to 255."""


NUMBER_TYPES: Final = {
    "UINT8": NumberType(np.dtype("<u1"), is_unit=False),
    "INT32": NumberType(np.dtype("<i4"), is_unit=False),
    "INT64": NumberType(np.dtype("<i8"), is_unit=False),
    "FP16": NumberType(np.dtype("<f2"), is_unit=True),
    "FP32": NumberType(np.dtype("<f4"), is_unit=True),
    "FP64": NumberType(np.dtype("<f8"), is_unit=True),
}


def number_type(datatype: object) -> NumberType:
    """Return the type of a tensor of pixels.

    Raises:
        ProtocolError: pixels are not sent in this type.
    """
    found = NUMBER_TYPES.get(datatype) if isinstance(datatype, str) else None
    if found is None:
        advice = "; send image files to the model mnist-files" if datatype == BYTES else ""
        raise ProtocolError(
            400, f"datatype is {str(datatype)[:40]!r}, expected one of {', '.join(NUMBER_TYPES)}{advice}"
        )
    return found


def binary_pixels(raw: bytes | memoryview, datatype: object, shape: Sequence[int]) -> Pixels:
    """Return the pixels of a binary tensor.

    Raises:
        ProtocolError: its type or its length is wrong.
        ImageError: its shape is none of images, or its numbers are none of pixels.
    """
    kind = number_type(datatype)
    count = count_images(shape)
    needed = count * NUM_PIXELS * kind.dtype.itemsize
    if len(raw) != needed:
        raise ProtocolError(
            400,
            f"`images` has {len(raw)} bytes, expected {needed}: shape {list(shape)}, {kind.dtype.itemsize} bytes each",
        )
    return to_levels(np.frombuffer(raw, kind.dtype), is_unit=kind.is_unit).reshape(count, NUM_PIXELS)


def byte_strings(raw: bytes | memoryview) -> list[bytes]:
    """Return the strings of a binary tensor of type BYTES, each after its length in 4 bytes.

    Raises:
        ProtocolError: they do not end where the tensor does.
    """
    found: list[bytes] = []
    start, end = 0, len(raw)
    while start < end:
        size = int.from_bytes(raw[start : start + _LENGTH_BYTES], "little")
        start += _LENGTH_BYTES
        if start + size > end:
            raise ProtocolError(
                400,
                f"element {len(found) + 1} of `images` should have {size} bytes, and {max(0, end - start)} are left; "
                "each element of BYTES is its length in 4 bytes, little-endian, and then its bytes",
            )
        found.append(bytes(raw[start : start + size]))
        start += size
    return found


def pack_strings(strings: Sequence[bytes]) -> bytes:
    """Return a binary tensor of type BYTES."""
    return b"".join(len(text).to_bytes(_LENGTH_BYTES, "little") + text for text in strings)
