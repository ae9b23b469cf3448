"""From the names of input files to units: the kind of each file, by its name or else by its first bytes."""

import gzip
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Literal

from inkling.bulk.array_files import idx_gz_units, idx_units, npy_units
from inkling.bulk.batches import UNIT_FILES, UNIT_PICTURES, Unit, unreadable_file
from inkling.bulk.image_list import ImageFiles
from inkling.bulk.storage import open_file, reason_of
from inkling.bulk.tar_files import tar_units
from inkling.errors import BulkError
from inkling.file_kinds import IMAGE_SUFFIXES
from inkling.predictor import Fit

Kind = Literal["image", "parquet", "npy", "idx", "idx.gz", "tar"]

_BY_NAME: Final[tuple[tuple[tuple[str, ...], Kind], ...]] = (
    (IMAGE_SUFFIXES, "image"),
    ((".parquet", ".pq"), "parquet"),
    ((".npy",), "npy"),
    ((".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"), "tar"),
)
_TAR_AT = 257
"""Where a tar file says `ustar`."""
_START_BYTES = 512


def units_of(names: Iterable[str], fit: Fit, column: str | None = None) -> Iterator[Unit]:
    """Yield the units of input files in their order; a file that cannot be read is a row with the reason.

    Args:
        names: of local files, or URLs.
        fit: how pictures become images.
        column: that holds the images of Parquet files; None: the one that can.

    Raises:
        BulkError: the first file holds many images, and cannot be read: the others are probably alike.
        ModuleNotFoundError: a package is missing that reads them.
    """
    most = UNIT_FILES if fit == "strict" else UNIT_PICTURES
    images: list[str] = []
    is_first = True
    for name in names:
        kind = _kind(name)
        if kind == "image":
            images.append(name)
        if images and (kind != "image" or len(images) == most):
            yield ImageFiles(tuple(images))
            images, is_first = [], False
        if kind != "image":
            yield from _checked(name, _units(name, kind, fit, column), is_first=is_first)
            is_first = False
    if images:
        yield ImageFiles(tuple(images))


def _checked(name: str, units: Iterator[Unit], *, is_first: bool) -> Iterator[Unit]:
    try:
        for unit in units:
            yield unit
            is_first = False
    except (ModuleNotFoundError, GeneratorExit):
        raise
    except Exception as error:  # stores raise many kinds
        if is_first:
            raise BulkError(f"{name}: {reason_of(error)}") from error
        yield unreadable_file(name, reason_of(error))


def _units(name: str, kind: Kind, fit: Fit, column: str | None) -> Iterator[Unit]:
    if kind == "parquet":
        from inkling.bulk.parquet_files import parquet_units  # noqa: PLC0415  others need no pyarrow

        return parquet_units(name, fit, column)
    readers: dict[Kind, Callable[[str, Fit], Iterator[Unit]]] = {
        "npy": npy_units,
        "idx": idx_units,
        "idx.gz": idx_gz_units,
        "tar": tar_units,
    }
    return readers[kind](name, fit)


def _kind(name: str) -> Kind:
    """Return the kind of a file; one of an unknown kind is taken for an image, whose reader explains it."""
    lower = name.lower()
    kind = next((kind for suffixes, kind in _BY_NAME if lower.endswith(suffixes)), None)
    return kind or _kind_by_content(name)


def _kind_by_content(name: str) -> Kind:
    try:
        with open_file(name) as file:
            start = file.read(_START_BYTES)
        if not start.startswith(b"\x1f\x8b"):
            return _kind_by_start(start)
        with open_file(name) as file, gzip.open(file) as unpacked:
            inner = _kind_by_start(unpacked.read(_START_BYTES))
    except ModuleNotFoundError:
        raise
    except Exception:  # the image reader says why it cannot be opened
        return "image"
    return "idx.gz" if inner == "idx" else inner if inner == "tar" else "image"


def _kind_by_start(start: bytes) -> Kind:
    if start.startswith(b"PAR1"):
        return "parquet"
    if start.startswith(b"\x93NUMPY"):
        return "npy"
    if start[:3] == b"\0\0\x08" and start[3:4] in (b"\1", b"\2", b"\3"):
        return "idx"
    return "tar" if start[_TAR_AT : _TAR_AT + 5] == b"ustar" else "image"
