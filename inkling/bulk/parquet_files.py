"""Parquet files: their row groups are read where they are needed, or, if they are large, streamed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import pyarrow as pa
import pyarrow.parquet as pq

from inkling.bulk.batches import UNIT_IMAGES, UNIT_PICTURES, Batch, Loaded, Unit, Unreadable, unreadable_file
from inkling.bulk.parquet_images import find_column, to_items
from inkling.bulk.storage import identity, is_url, open_file, reason_of
from inkling.errors import ImageError
from inkling.predictor import Fit

MAX_GROUP_BYTES = 64 << 20
"""Of the images in a row group that is read by one process; larger ones are streamed, by the process of the job."""


@dataclass(frozen=True)
class RowGroups:
    """Row groups of a Parquet file that follow each other."""

    file: str
    column: str
    first_group: int
    stop_group: int
    first_row: int
    rows: int
    version: str
    """The file's identity."""

    @property
    def key(self) -> str:
        return f"{self.file} ({self.version}), {self.column}, groups {self.first_group} to {self.stop_group}"

    def read(self, fit: Fit) -> Iterator[Batch]:
        row = self.first_row
        try:
            for array in _arrays(_open(self.file, self.version), self, UNIT_IMAGES):
                yield Batch(self.file, row, to_items(array, fit))
                row += len(array)
        except (pa.ArrowException, OSError) as error:
            left = self.first_row + self.rows - row
            yield Batch(self.file, row, [Unreadable(f"its row group cannot be read: {reason_of(error)}")] * left)

    def split(self) -> Sequence[Unit]:
        return []

    def failed(self, reason: str) -> Loaded:
        return Loaded(Batch(self.file, self.first_row, [Unreadable(reason)] * self.rows), self.key)


def parquet_units(name: str, fit: Fit, column: str | None) -> Iterator[Unit]:
    """Yield the units of a Parquet file.

    Raises:
        BulkError: it has no column of images, or not the one that is named.
        ImageError: it cannot be read, or holds no row.
        OSError: it cannot be opened; stores raise other exceptions, too.
    """
    version = identity(name)
    try:
        file = _open(name, version)
    except pa.ArrowException as error:
        raise ImageError(f"it is no Parquet file that can be read: {reason_of(error)}") from error
    if not file.metadata.num_rows:
        raise ImageError("it holds no row")
    whole = RowGroups(name, find_column(file.schema_arrow, column), 0, 0, 0, 0, version)
    for unit, is_large in _groups(file, whole, fit):
        if is_large:
            yield from _stream(file, unit, fit)
        else:
            yield unit


def count_rows(name: str) -> int:
    return int(_open(name, identity(name)).metadata.num_rows)


@lru_cache(maxsize=2)
def _open(name: str, version: str) -> pq.ParquetFile:
    """Return an open file; the last ones stay open, because reading the footer of a large one takes milliseconds."""
    del version  # part of the cache's key
    if is_url(name):
        return pq.ParquetFile(open_file(name), pre_buffer=True)
    return pq.ParquetFile(name, memory_map=True, pre_buffer=False)


def _groups(file: pq.ParquetFile, whole: RowGroups, fit: Fit) -> Iterator[tuple[RowGroups, bool]]:
    """Yield a file's row groups, small ones together, and whether they are streamed."""
    start, row, rows = 0, 0, 0
    for index in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(index)
        is_large = fit == "mnist" or _image_bytes(group, whole.column) > MAX_GROUP_BYTES
        if rows and (is_large or rows + group.num_rows > UNIT_IMAGES):
            yield replace(whole, first_group=start, stop_group=index, first_row=row, rows=rows), False
            start, row, rows = index, row + rows, 0
        rows += group.num_rows
        if is_large:
            yield replace(whole, first_group=start, stop_group=index + 1, first_row=row, rows=rows), True
            start, row, rows = index + 1, row + rows, 0
    if rows:
        yield (
            replace(whole, first_group=start, stop_group=file.metadata.num_row_groups, first_row=row, rows=rows),
            False,
        )


def _image_bytes(group: pq.RowGroupMetaData, column: str) -> int:
    columns = (group.column(i) for i in range(group.num_columns))
    return sum(
        part.total_uncompressed_size
        for part in columns
        if part.path_in_schema == column or part.path_in_schema.startswith(f"{column}.")
    )


def _stream(file: pq.ParquetFile, unit: RowGroups, fit: Fit) -> Iterator[Unit]:
    row = unit.first_row
    try:
        for array in _arrays(file, unit, UNIT_IMAGES if fit == "strict" else UNIT_PICTURES):
            batch = Batch(unit.file, row, to_items(array, fit))
            yield Loaded(batch, f"{unit.file} ({unit.version}), {unit.column}, from row {row}")
            row += len(array)
    except (pa.ArrowException, OSError) as error:
        yield unreadable_file(unit.file, f"it cannot be read from row {row} on: {reason_of(error)}", row)


def _arrays(file: pq.ParquetFile, unit: RowGroups, rows: int) -> Iterator[pa.Array]:
    groups = range(unit.first_group, unit.stop_group)
    for batch in file.iter_batches(rows, row_groups=groups, columns=[unit.column], use_threads=False):
        yield batch.column(0)
