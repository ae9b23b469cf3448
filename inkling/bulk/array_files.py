"""Files of one array: IDX, plain or .gz (http://yann.lecun.com/exdb/mnist), and .npy."""

import gzip
import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from inkling.bulk.batches import Batch, Loaded, Unit, Unreadable, unit_rows, unreadable_file
from inkling.bulk.gray_arrays import gray_items, item_shape
from inkling.bulk.storage import identity, is_url, open_file, read_range, reason_of, size_of
from inkling.errors import ImageError
from inkling.npy_header import ArrayHeader, read_npy_header
from inkling.predictor import Fit

IDX_UINT8 = 8
"""The third byte of an IDX file of bytes; the fourth is the number of axes."""


@dataclass(frozen=True)
class ArrayRows:
    """Some images of a file of one array, which is read where it is needed."""

    file: str
    header: ArrayHeader
    """Its shape is (n, *item_shape)."""
    first: int
    stop: int
    version: str
    """The file's identity."""

    @property
    def key(self) -> str:
        return f"{self.file} ({self.version}), {self.first} to {self.stop}"

    def read(self, fit: Fit) -> Iterator[Batch]:
        try:
            numbers = self._numbers()
        except Exception as error:  # the file has changed, or its store fails
            yield from self.failed(reason_of(error)).read(fit)
        else:
            yield Batch(self.file, self.first, gray_items(numbers, fit))

    def split(self) -> Sequence[Unit]:
        middle = (self.first + self.stop) // 2
        return [] if middle == self.first else [replace(self, stop=middle), replace(self, first=middle)]

    def failed(self, reason: str) -> Loaded:
        items = [Unreadable(reason)] * (self.stop - self.first)
        return Loaded(Batch(self.file, self.first, items), self.key)

    def _numbers(self) -> NDArray[Any]:
        header = self.header
        if not is_url(self.file):
            order = "F" if header.is_fortran else "C"
            array = np.memmap(self.file, header.dtype, "r", header.start, header.shape, order)  # type: ignore[call-overload]
            return np.array(array[self.first : self.stop])
        row_bytes = header.dtype.itemsize * math.prod(header.shape[1:])
        content = read_range(self.file, header.start + self.first * row_bytes, header.start + self.stop * row_bytes)
        return np.frombuffer(content, header.dtype).reshape(self.stop - self.first, *header.shape[1:])


def idx_units(name: str, fit: Fit) -> Iterator[Unit]:
    """Yield the units of an IDX file of bytes.

    Raises:
        ImageError: it holds no images.
        OSError: it cannot be read; stores raise other exceptions, too.
    """
    with open_file(name) as file:
        header = _idx_header(file)
    yield from _rows(name, header, fit)


def idx_gz_units(name: str, fit: Fit) -> Iterator[Unit]:
    """Yield the units of a .gz of an IDX file, which is decompressed here, as it goes on. Raises as `idx_units`."""
    version = identity(name)
    with open_file(name) as raw, gzip.open(raw) as file:
        header = _as_items(_idx_header(file), fit)
        count, *shape = header.shape
        row_bytes = math.prod(shape)
        step = unit_rows(fit, row_bytes)
        first = 0
        try:
            while first < count:
                rows = min(step, count - first)
                content = _read_fully(file, rows * row_bytes)
                whole = len(content) // row_bytes
                images = np.frombuffer(content[: whole * row_bytes], np.uint8).reshape(whole, *shape)
                if whole:
                    yield Loaded(Batch(name, first, gray_items(images, fit)), f"{name} ({version}), from {first}")
                first += whole
                if whole < rows:
                    yield unreadable_file(name, f"it ends after {first} of {count} images", first)
                    return
            file.read(1)  # at the end, the checksum is compared
        except (OSError, EOFError, zlib.error) as error:
            yield unreadable_file(name, f"it is damaged, at the latest after {first} images: {reason_of(error)}", first)


def npy_units(name: str, fit: Fit) -> Iterator[Unit]:
    """Yield the units of a .npy file. Raises as `idx_units`."""
    with open_file(name) as file:
        header = read_npy_header(file, "it")
    if header.dtype.kind not in "uif":
        raise ImageError(f"it holds {str(header.dtype)[:100]}, expected uint8, or numbers 0 to 255")
    if header.is_fortran and is_url(name):
        raise ImageError("it is in Fortran order, which is not read from a store; save np.ascontiguousarray(array)")
    yield from _rows(name, header, fit)


def _rows(name: str, header: ArrayHeader, fit: Fit) -> Iterator[Unit]:
    held = size_of(name) - header.start
    expected = math.prod(header.shape) * header.dtype.itemsize
    if held != expected:
        raise ImageError(f"it holds {held} bytes of pixels, expected {expected} for its shape {header.shape}")
    header = _as_items(header, fit)
    count, *shape = header.shape
    step = unit_rows(fit, math.prod(shape) * header.dtype.itemsize)
    version = identity(name)
    for first in range(0, count, step):
        yield ArrayRows(name, header, first, min(first + step, count), version)


def _as_items(header: ArrayHeader, fit: Fit) -> ArrayHeader:
    """Return a header whose first axis counts images."""
    if item_shape(header.shape, fit):
        return header
    # A transposed picture in Fortran order is one in C order; only its first axis would be in the wrong place.
    if header.is_fortran:
        raise ImageError("it is one image in Fortran order; save np.ascontiguousarray(array)")
    return replace(header, shape=(1, *header.shape))


def _idx_header(file: BinaryIO | gzip.GzipFile) -> ArrayHeader:
    start = file.read(4)
    if len(start) < 4 or start[:2] != b"\0\0":
        raise ImageError("it is no IDX file")
    kind, axes = start[2], start[3]
    if kind != IDX_UINT8 or axes not in (2, 3):
        raise ImageError(f"it is an IDX file of kind {kind} with {axes} axes, expected one of images: kind 8, 3 axes")
    sizes = file.read(4 * axes)
    if len(sizes) < 4 * axes:
        raise ImageError("it ends within its header")
    return ArrayHeader(struct.unpack(f">{axes}I", sizes), np.dtype(np.uint8), 4 + len(sizes))


def _read_fully(file: gzip.GzipFile, count: int) -> bytes:
    """Return so many bytes; fewer at the end of the file, also where it is cut off."""
    pieces = []
    while count:
        try:
            piece = file.read1(count)
        except EOFError:  # cut off
            break
        if not piece:
            break
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)
