"""The column of a Parquet file that holds images: image files, raw pixels, or lists of numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as kinds
from numpy.typing import NDArray

from inkling.bulk.batches import Item, Unreadable
from inkling.bulk.gray_arrays import gray_items
from inkling.digit import NUM_PIXELS, SIDE, Images
from inkling.errors import BulkError
from inkling.file_kinds import file_kind
from inkling.predictor import Fit

USUAL_NAMES = ("image", "img", "pixels", "picture", "jpg", "png")
"""Where several columns could hold images, the first of these is taken."""
_NULL = Unreadable("it is null")


def find_column(schema: pa.Schema, wanted: str | None) -> str:
    """Return the path of the column of images: its name, with `.bytes` for Hugging Face's structs.

    Raises:
        BulkError: there is no such column, none that could hold images, or several; the message names those there are.
    """
    there = "; its columns are " + ", ".join(f"{field.name} ({field.type})" for field in schema)[:1000]
    if wanted is not None:
        if wanted not in schema.names:
            raise BulkError(f"it has no column {wanted}{there}")
        if not _holds_images(schema.field(wanted).type):
            raise BulkError(f"its column {wanted} holds {schema.field(wanted).type}, expected {EXPECTED}")
        return _path(schema.field(wanted))
    fields = [field for field in schema if _holds_images(field.type)]
    if not fields:
        raise BulkError(f"it has no column of images, expected {EXPECTED}{there}")
    if len(fields) > 1:
        by_name = {field.name: field for field in reversed(fields)}
        usual = [by_name[name] for name in USUAL_NAMES if name in by_name]
        if not usual:
            raise BulkError(f"several of its columns could hold images: name one (--column){there}")
        fields = usual
    return _path(fields[0])


EXPECTED = "image files or raw pixels (binary), structs with `bytes`, or lists of numbers"


def to_items(array: pa.Array, fit: Fit) -> Images | list[Item]:
    """Return the images of a part of the column; what is no image is Unreadable."""
    if isinstance(array, pa.ExtensionArray):  # such as a tensor of fixed shape
        array = array.storage
    if kinds.is_struct(array.type):
        array = array.flatten()[array.type.get_field_index("bytes")]
    if _is_binary(array.type):
        return _binary_items(array)
    return _list_items(array, fit)


def _path(field: pa.Field) -> str:
    return f"{field.name}.bytes" if kinds.is_struct(field.type) else str(field.name)


def _holds_images(kind: pa.DataType) -> bool:
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    if kinds.is_struct(kind):
        index = kind.get_field_index("bytes")
        return index >= 0 and _is_binary(kind.field(index).type)
    if not _is_list(kind):
        return _is_binary(kind)
    value = kind.value_type.value_type if _is_list(kind.value_type) else kind.value_type
    return any((kinds.is_integer(value), kinds.is_floating(value)))


def _is_list(kind: pa.DataType) -> bool:
    return any((kinds.is_list(kind), kinds.is_large_list(kind), kinds.is_fixed_size_list(kind)))


def _is_binary(kind: pa.DataType) -> bool:
    return any((kinds.is_binary(kind), kinds.is_large_binary(kind), kinds.is_fixed_size_binary(kind)))


def _binary_items(array: pa.Array) -> Images | list[Item]:
    raw = _raw_pixels(array)
    return [_binary_item(value) for value in array.to_pylist()] if raw is None else raw


def _raw_pixels(array: pa.Array) -> Images | None:
    """Return images (n, 28, 28) of values that all are raw pixels, without a copy; None if one is anything else."""
    if array.null_count or not len(array):
        return None
    if kinds.is_fixed_size_binary(array.type):
        start, step = array.offset * array.type.byte_width, array.type.byte_width
    else:
        width = np.int64 if kinds.is_large_binary(array.type) else np.int32
        offsets = np.frombuffer(array.buffers()[1], width)[array.offset : array.offset + len(array) + 1]
        start, step = int(offsets[0]), NUM_PIXELS
        if (np.diff(offsets) != NUM_PIXELS).any():
            return None
    if step != NUM_PIXELS:
        return None
    pixels = np.frombuffer(array.buffers()[-1], np.uint8, len(array) * NUM_PIXELS, start).reshape(-1, SIDE, SIDE)
    corner = pixels[:, 0, :8]
    suspects = np.flatnonzero((corner[:, 0] != 0) | (corner[:, 4:] == np.frombuffer(b"ftyp", np.uint8)).all(axis=1))
    return None if any(file_kind(pixels[i].tobytes()) for i in suspects) else pixels


def _binary_item(value: bytes | None) -> Item:
    if value is None:
        return _NULL
    if len(value) == NUM_PIXELS and file_kind(value) is None:
        return np.frombuffer(value, np.uint8).reshape(SIDE, SIDE)
    return value


def _list_items(array: pa.Array, fit: Fit) -> Images | list[Item]:
    nested = _is_list(array.type.value_type)
    if not array.null_count and len(array):
        values = array.flatten()
        rows = values.flatten() if nested else values
        shapes_fit = _have_length(array, SIDE if nested else NUM_PIXELS) and (not nested or _have_length(values, SIDE))
        if shapes_fit and not values.null_count and not rows.null_count:
            return gray_items(rows.to_numpy(zero_copy_only=False).reshape(-1, SIDE, SIDE), fit)
    return [_list_item(value, fit) for value in array.to_pylist()]


def _have_length(array: pa.Array, length: int) -> bool:
    if kinds.is_fixed_size_list(array.type):
        return bool(array.type.list_size == length)
    offsets: NDArray[Any] = array.offsets.to_numpy()
    return bool((np.diff(offsets) == length).all())


def _list_item(value: Sequence[Any] | None, fit: Fit) -> Item:
    """Return an image of a list of numbers, or of a list of its rows."""
    if value is None:
        return _NULL
    try:
        numbers = np.array(value)
    except ValueError:  # rows of different lengths
        return Unreadable("its rows have different lengths")
    if numbers.dtype.kind not in "uif" or not numbers.size:
        return Unreadable("it holds nulls" if numbers.size else "it is empty")
    if numbers.ndim == 1:
        if len(numbers) != NUM_PIXELS:
            return Unreadable(f"it holds {len(numbers)} numbers, expected {NUM_PIXELS}, or a list of rows")
        numbers = numbers.reshape(SIDE, SIDE)
    return gray_items(numbers[np.newaxis], fit)[0]
