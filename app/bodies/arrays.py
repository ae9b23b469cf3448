"""Request bodies that hold numbers -> arrays: JSON and .npy, of any shape."""

import io
from itertools import chain
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from app.errors import BodyError
from inkling.errors import ImageError


def json_array(body: bytes) -> NDArray[Any]:
    """Return the array of numbers, of any shape but never empty, of `{"images": [...]}`.

    Raises:
        BodyError: not JSON, or not of this form.
        ImageError: ragged, or not all numbers.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BodyError(f"the body is not JSON: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("images"), list):
        raise BodyError('expected {"images": [...]}: nested numbers 0 to 255, (28, 28), (n, 28, 28) or (n, 784)')
    if not _leaf_types(document["images"]) <= {int, float}:
        raise ImageError("`images` must hold numbers 0 to 255, and nothing else")
    try:
        array = np.asarray(document["images"])
    except ValueError as error:
        raise ImageError("`images` is ragged: its rows differ in length") from error
    if not array.size:
        raise ImageError("`images` must hold numbers 0 to 255, and nothing else")
    return array


def gray_levels(array: NDArray[Any]) -> NDArray[np.uint8]:
    """Return numbers 0 to 255, rounded.

    Raises:
        ImageError: there are others, or they seem to be scaled to 0 to 1.
    """
    low, high = array.min(), array.max()
    if not (low >= 0 and high <= 255):  # NaN is neither
        raise ImageError(f"`images` holds numbers from {low} to {high}, expected 0 to 255")
    if array.dtype.kind == "f" and high <= 1 and (array % 1).any():
        raise ImageError(f"`images` seems to be scaled to 0 to 1 (its largest number is {high}); send 0 to 255")
    levels: NDArray[np.uint8] = np.rint(array).astype(np.uint8)
    return levels


def _leaf_types(nested: list[Any]) -> set[type]:
    """Return the types of the leaves of nested lists.

    They are checked first, because NumPy would allocate an array of the longest string.
    """
    types: set[type] = set()
    while nested:
        here = set(map(type, nested))
        types |= here - {list}
        nested = list(chain.from_iterable(item for item in nested if type(item) is list)) if list in here else []
    return types


def npy_array(body: bytes) -> NDArray[np.uint8]:
    """Return the array, uint8 and of any shape, of a .npy file.

    Raises:
        BodyError: not such a file, or its header does not match its size.
        ImageError: not uint8.
    """
    file = io.BytesIO(body)
    try:
        # By hand, not np.load: it allocates what the header claims before it reads the content.
        major, _ = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
        shape, is_fortran, dtype = read_header(file)
    except Exception as error:  # NumPy parses the header as a Python literal, and raises many kinds
        raise BodyError(f"the body is not a .npy file: {error}") from error
    if dtype != np.uint8:
        raise ImageError(f"the array is {dtype}, expected uint8")
    held = len(body) - file.tell()
    if held != int(np.prod(shape, dtype=object)):
        raise BodyError(f"the .npy file holds {held} bytes of pixels, which does not match its shape {shape}")
    try:
        return np.frombuffer(body, np.uint8, offset=file.tell()).reshape(shape, order="F" if is_fortran else "C")
    except ValueError as error:  # negative, more than 64 dimensions, or past 64 bits
        raise BodyError(f"the .npy file claims an impossible shape, {str(shape)[:100]}: {error}") from error
