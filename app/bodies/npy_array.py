"""Request bodies of .npy files -> arrays."""

import io
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.bodies.arrays import GrayLevels
from app.errors import BodyError
from inkling.errors import ImageError
from inkling.file_kinds import NPY_KIND, file_kind
from inkling.npy_header import ArrayHeader, read_npy_header

_NUMBER_KINDS = "uif"


def npy_levels(body: bytes) -> NDArray[np.uint8]:
    """Return the gray levels, of any shape, of a .npy file that holds integers or floats 0 to 255.

    Raises:
        BodyError: not such a file, or its header does not match its size.
        ImageError: another dtype, or other numbers; the message says how to convert them.
    """
    header = _header(body)
    shape, dtype = header.shape, header.dtype
    if dtype.kind not in _NUMBER_KINDS:
        advice = "; convert it: (array * 255).astype(np.uint8)" if dtype.kind == "b" else ""
        raise ImageError(f"the array is {str(dtype)[:100]}, expected uint8, or numbers 0 to 255{advice}")
    held, expected = len(body) - header.start, math.prod(shape) * dtype.itemsize
    if held != expected:
        raise BodyError(
            f"the .npy file holds {held} bytes of pixels, expected {expected} for its shape {shape} of {dtype}"
        )
    numbers = np.frombuffer(body, dtype, offset=header.start)
    levels = numbers if numbers.dtype == np.uint8 else _levels(numbers)
    return levels.reshape(shape, order="F" if header.is_fortran else "C")


def _header(body: bytes) -> ArrayHeader:
    kind = file_kind(body)
    if kind != NPY_KIND:
        raise BodyError(f"the body is not a .npy file{f' but {kind}' if kind else ''}; write it with np.save")
    try:
        return read_npy_header(io.BytesIO(body), "the body")
    except ImageError as error:
        raise BodyError(str(error)) from error


def _levels(numbers: NDArray[Any]) -> NDArray[np.uint8]:
    if not len(numbers):
        return np.empty(0, np.uint8)
    levels = GrayLevels(f"the array ({numbers.dtype})")
    try:
        levels.add(numbers)
        return levels.to_array()
    except ImageError as error:
        raise ImageError(f"{error}; {_conversion(numbers)}") from error


def _conversion(numbers: NDArray[Any]) -> str:
    """Return how to convert numbers that are not 0 to 255."""
    low, high = float(numbers.min()), float(numbers.max())
    if not np.isfinite([low, high]).all():
        return "replace what is not finite"
    if numbers.dtype.kind == "f" and 0 <= low <= high <= 1:
        return "convert it: (array * 255).round().astype(np.uint8)"
    if numbers.dtype.kind == "f" and -1 <= low <= high <= 1:
        return "convert it: ((array + 1) * 127.5).round().astype(np.uint8)"
    return "convert it: ((array - array.min()) * (255 / (array.max() - array.min()))).round().astype(np.uint8)"
