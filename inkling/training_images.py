"""MNIST's training images, some at a time: all of them take 47 MB."""

import gzip
import hashlib
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, cast

import numpy as np

from inkling.digit import NUM_PIXELS, SIDE, Images
from inkling.errors import DatasetError, ImageError
from inkling.mnist import (
    CANONICAL_COUNTS,
    CANONICAL_SHA256,
    IMAGES_MAGIC,
    MAX_FILE_BYTES,
    NPZ,
    NPZ_MEMBERS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    find_file,
    how_to_provide,
    missing_files,
)
from inkling.npy_header import read_npy_header

CHUNK: Final = 1024
"""Images that are read at a time."""
_HEADER: Final = struct.Struct(">4I")
"""Of an IDX file of images: its kind, their number, rows and columns."""
_DAMAGE: Final = (OSError, EOFError, zlib.error, zipfile.BadZipFile, KeyError, ImageError, struct.error)


def find_training_folder(mnist_dir: Path | None, data_dir: Path) -> Path | None:
    """Return the folder that holds the training images and their labels; None if none does. Nothing is downloaded."""
    folder = mnist_dir or data_dir / "mnist"
    return None if {TRAIN_IMAGES, TRAIN_LABELS} & set(missing_files(folder)) else folder


def training_images(folder: Path) -> Iterator[Images]:
    """Yield the training images of a folder, (n, 28, 28) each, n at most CHUNK.

    Raises:
        DatasetError: the file is damaged, which may be found after the last image only; or it holds too many.
    """
    try:
        with _open(folder) as (file, count):
            yield from _chunks(file, count)
    except _DAMAGE as error:
        raise DatasetError(
            f"{folder}: the training images cannot be read: {error}. {how_to_provide(folder)}"
        ) from error


def _chunks(file: BinaryIO, count: int) -> Iterator[Images]:
    if count * NUM_PIXELS > MAX_FILE_BYTES:
        raise DatasetError(f"{TRAIN_IMAGES} holds {count} images, expected at most {MAX_FILE_BYTES // NUM_PIXELS}")
    content = hashlib.sha256(_HEADER.pack(IMAGES_MAGIC, count, SIDE, SIDE))
    for start in range(0, count, CHUNK):
        wanted = min(CHUNK, count - start) * NUM_PIXELS
        pixels = file.read(wanted)
        if len(pixels) != wanted:
            raise EOFError(f"it ends within images {start} to {start + CHUNK - 1} of {count}")
        content.update(pixels)
        yield np.frombuffer(pixels, np.uint8).reshape(-1, SIDE, SIDE)
    if count == CANONICAL_COUNTS[TRAIN_IMAGES] and content.hexdigest() != CANONICAL_SHA256[TRAIN_IMAGES]:
        raise DatasetError(f"{TRAIN_IMAGES} has MNIST's size but SHA-256 {content.hexdigest()}: it is damaged")


@contextmanager
def _open(folder: Path) -> Iterator[tuple[BinaryIO, int]]:
    """Open the training images, and yield the file at its first pixel, with their number."""
    path = find_file(folder, TRAIN_IMAGES)
    if path is None:
        with zipfile.ZipFile(folder / NPZ) as archive, archive.open(f"{NPZ_MEMBERS[TRAIN_IMAGES]}.npy") as file:
            yield cast(BinaryIO, file), _count_npy(cast(BinaryIO, file))
        return
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        magic, count, *sides = _HEADER.unpack(file.read(_HEADER.size))
        if (magic, sides) != (IMAGES_MAGIC, [SIDE, SIDE]):
            raise ImageError(f"{path} is no IDX file of images of {SIDE}x{SIDE} pixels")
        yield cast(BinaryIO, file), count


def _count_npy(file: BinaryIO) -> int:
    header = read_npy_header(file, NPZ)
    if header.dtype != np.uint8 or header.is_fortran or header.shape[1:] != (SIDE, SIDE):
        raise ImageError(f"{NPZ} holds {header.dtype} {header.shape}, expected uint8 (n, {SIDE}, {SIDE})")
    return header.shape[0]
