"""The names of the input files: given one by one, by folder, by pattern, or as a list in a stream."""

import glob
import os
from collections.abc import Iterator, Sequence
from io import BufferedReader
from typing import Final

from inkling.bulk.storage import file_system_of, is_url, reason_of
from inkling.errors import BulkError
from inkling.file_kinds import IMAGE_SUFFIXES

DATA_SUFFIXES: Final = (
    *(".parquet", ".pq", ".npy"),
    *(".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"),
    *("idx3-ubyte", "idx3-ubyte.gz", ".idx", ".idx.gz"),
)
"""Ends of the names of files that hold many images."""
MAX_NAME_BYTES = 64 << 10
"""Of a name in a list: a longer one is no list of names."""


def expand(argument: str) -> Sequence[str]:
    """Return the files that an argument means, sorted by name.

    A folder means the image and data files directly in it, without hidden ones; `folder/**/*.png` looks into its
    subfolders. The same holds for URLs.

    Raises:
        BulkError: it means no file, or cannot be looked at.
        ModuleNotFoundError: it is a URL, and fsspec is not installed.
    """
    try:
        return _expand_url(argument) if is_url(argument) else _expand_path(argument)
    except OSError as error:
        raise BulkError(f"{argument}: {reason_of(error)}") from error


def read_names(stream: BufferedReader) -> Iterator[str]:
    r"""Yield the names in a stream, one per line, or ended by \0 as `find -print0` does; empty ones are left out.

    Raises:
        BulkError: it holds something else.
    """
    start = stream.read1(MAX_NAME_BYTES)
    separator = b"\0" if b"\0" in start else b"\n"
    rest = start
    while True:
        *names, rest = rest.split(separator)
        yield from (os.fsdecode(name.removesuffix(b"\r")) for name in names if name.strip())
        if len(rest) > MAX_NAME_BYTES:
            raise BulkError(f"the list of files has a line of more than {MAX_NAME_BYTES} bytes, expected a name")
        more = stream.read1(MAX_NAME_BYTES)
        if not more:
            break
        rest += more
    if rest.strip():
        yield os.fsdecode(rest.removesuffix(b"\r"))


def _expand_path(argument: str) -> Sequence[str]:
    if os.path.isdir(argument):
        names = sorted(entry.name for entry in os.scandir(argument) if is_input_name(entry.name) and entry.is_file())
        return [os.path.join(argument, name) for name in _some(names, argument)]
    if os.path.lexists(argument):
        return [argument]
    if not glob.has_magic(argument):
        raise BulkError(f"{argument}: No such file or directory")
    names = sorted(name for name in glob.iglob(argument, recursive=True) if os.path.isfile(name))
    if not names:
        raise BulkError(f"no file matches {argument}")
    return names


def _expand_url(argument: str) -> Sequence[str]:
    file_system, path = file_system_of(argument)
    try:
        if "*" in path or "?" in path:
            names = sorted(str(name) for name in file_system.glob(path))
            if not names:
                raise BulkError(f"no file matches {argument}")
        elif file_system.isdir(path):
            found = file_system.ls(path, detail=True)
            files = (str(entry["name"]) for entry in found if entry["type"] == "file")
            names = _some(sorted(name for name in files if is_input_name(name.rpartition("/")[2])), argument)
        else:
            return [argument]
    except (BulkError, OSError):
        raise
    except Exception as error:  # stores raise many kinds
        raise BulkError(f"{argument} cannot be listed: {reason_of(error)}") from error
    _, *outer = argument.split("::", 1)  # the archive or the cache that a path is inside of
    return ["::".join([file_system.unstrip_protocol(name), *outer]) for name in names]


def is_input_name(name: str) -> bool:
    """Return whether a file in a folder is read, by its name."""
    return name.lower().endswith((*IMAGE_SUFFIXES, *DATA_SUFFIXES)) and not name.startswith(".")


def _some(names: list[str], folder: str) -> list[str]:
    if not names:
        raise BulkError(
            f"{folder} holds no image file ({', '.join(IMAGE_SUFFIXES)}) and no file of images "
            f"({', '.join(DATA_SUFFIXES)})"
        )
    return names
