"""Headers of .npy files (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html)."""

from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from inkling.errors import ImageError

MAX_AXES = 8
MAX_SIDE = 1 << 40


@dataclass(frozen=True)
class ArrayHeader:
    """The array that a file says it holds."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    start: int
    """Position of the first number, in bytes."""
    is_fortran: bool = False


def read_npy_header(file: BinaryIO, name: str) -> ArrayHeader:
    """Read the header from the beginning of a file, and nothing of the array.

    By hand, not by np.load: that allocates what the header claims before it reads the content.

    Args:
        file: at its beginning; afterwards at the first number.
        name: what the errors call the file.

    Raises:
        ImageError: it is no .npy file, or claims a shape that no array has.
    """
    try:
        major, _ = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
        shape, is_fortran, dtype = read_header(file)
    except Exception as error:  # NumPy parses the header as a Python literal, and raises many kinds
        raise ImageError(f"{name} is not a .npy file: {str(error)[:200]}") from error
    if len(shape) > MAX_AXES or not all(type(side) is int and 0 <= side < MAX_SIDE for side in shape):
        raise ImageError(f"{name} is a .npy file of an impossible shape, {repr(shape)[:100]}")
    return ArrayHeader(shape, dtype, file.tell(), is_fortran)
