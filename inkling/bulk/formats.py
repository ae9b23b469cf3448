"""The formats of the output, by the end of its name: how rows are written, and how the file is finished."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from inkling.bulk.predictions import Results
from inkling.bulk.text_rows import csv_header, csv_rows, json_rows
from inkling.errors import BulkError

Format = Literal["csv", "jsonl", "parquet"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)


@dataclass(frozen=True)
class Encoder:
    """Writes results as bytes, which can be appended to each other."""

    header: bytes
    rows: Callable[[Results, float], bytes]
    """Takes the score below which an image is no digit."""
    finish: Callable[[Path, Path], None]
    """Makes the output of the bytes in a file."""


def format_of(path: Path) -> Format:
    """Return the format of an output.

    Raises:
        BulkError: its name ends in none of them.
    """
    suffix = path.suffix.lower().removeprefix(".")
    for known in FORMATS:
        if suffix == known:
            return known
    raise BulkError(f"the output {path} ends in none of {', '.join(f'.{known}' for known in FORMATS)}")


def encoder_of(output_format: Format) -> Encoder:
    """Return the encoder of a format.

    Raises:
        ModuleNotFoundError: it is Parquet, and pyarrow is not installed.
    """
    if output_format == "csv":
        return Encoder(csv_header(), csv_rows, _rename)
    if output_format == "jsonl":
        return Encoder(b"", json_rows, _rename)
    from inkling.bulk.parquet_rows import arrow_header, arrow_rows  # noqa: PLC0415  others need no pyarrow

    return Encoder(arrow_header(), arrow_rows, _to_parquet)


def _rename(partial: Path, target: Path) -> None:
    partial.replace(target)


def _to_parquet(partial: Path, target: Path) -> None:
    from inkling.bulk.parquet_rows import write_parquet  # noqa: PLC0415  others need no pyarrow

    written = partial.with_name(f"{partial.name}.parquet")
    try:
        write_parquet(partial, written)
        with written.open("rb") as file:
            os.fsync(file.fileno())
        written.replace(target)
    finally:
        written.unlink(missing_ok=True)
    partial.unlink()
