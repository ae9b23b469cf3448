"""Files where they are: in local folders, or in object stores and other places that fsspec reads by URL."""

import os
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from inkling.bulk.batches import MAX_FILE_BYTES, UNIT_BYTES, Unreadable
from inkling.errors import BulkError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

REQUESTS_AT_ONCE: Final = 32
"""Objects of a store that a process asks for at the same time: each takes some 30 ms, most of it waiting."""
MAX_REASON = 300
"""Characters of the message of another library."""

Files = tuple[Sequence[str], list[bytes | Unreadable]]
"""Names and contents."""


def is_url(name: str) -> bool:
    """Return whether a name is a URL, such as s3://bucket/key, and not a local path."""
    return "://" in name


def file_system_of(url: str) -> "tuple[AbstractFileSystem, str]":
    """Return the file system of a URL, and the URL's path in it.

    Raises:
        BulkError: it is of an unknown protocol, or of one that needs another package; the message names it.
        ModuleNotFoundError: fsspec is not installed.
    """
    from fsspec.core import url_to_fs  # noqa: PLC0415  local files need no fsspec

    try:
        file_system, path = url_to_fs(url)
    except Exception as error:  # an unknown protocol, a package that is missing, an archive that is damaged
        raise BulkError(f"{url} cannot be read: {reason_of(error)}") from error
    return file_system, str(path)


def reason_of(error: Exception) -> str:
    """Return the message of an error in one line."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return " ".join(text.split())[:MAX_REASON]


def open_file(name: str) -> BinaryIO:
    """Open a file for reading.

    Raises:
        OSError: it cannot be opened; stores raise other exceptions, too.
    """
    if not is_url(name):
        return open(name, "rb")
    file_system, path = file_system_of(name)
    return cast(BinaryIO, file_system.open(path, "rb"))


def identity(name: str) -> str:
    """Return what changes when a file is written again: its size and time, or the tag that its store gives it.

    Raises:
        OSError: there is no such file; stores raise other exceptions, too.
    """
    if is_url(name):
        file_system, path = file_system_of(name)
        return str(file_system.ukey(path))
    status = os.stat(name)
    return f"{status.st_size} bytes, {status.st_mtime_ns}"


def size_of(name: str) -> int:
    """Return the size of a file in bytes."""
    if is_url(name):
        file_system, path = file_system_of(name)
        return int(file_system.size(path))
    return os.stat(name).st_size


def read_range(url: str, start: int, stop: int) -> bytes:
    """Return the bytes of a store's object from `start` to before `stop`."""
    file_system, path = file_system_of(url)
    return bytes(file_system.cat_file(path, start=start, end=stop))


def read_files(names: Sequence[str]) -> Iterator[Files]:
    """Yield names and contents of files in their order, as many at a time as memory should hold."""
    for is_remote, group in groupby(names, is_url):
        some = list(group)
        yield from _read_objects(some) if is_remote else _read_local(some)


def _read_local(names: Sequence[str]) -> Iterator[Files]:
    start, held = 0, 0
    contents: list[bytes | Unreadable] = []
    for i, name in enumerate(names, 1):
        content = _read_one(name)
        contents.append(content)
        held += len(content) if isinstance(content, bytes) else 0
        if held >= UNIT_BYTES or i == len(names):
            yield names[start:i], contents
            start, held, contents = i, 0, []


def _read_one(name: str) -> bytes | Unreadable:
    try:
        with open(name, "rb", buffering=0) as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # a name with a null character is a ValueError
        return Unreadable(reason_of(error))
    return _checked(content)


def _read_objects(urls: Sequence[str]) -> Iterator[Files]:
    for start in range(0, len(urls), REQUESTS_AT_ONCE):
        some = urls[start : start + REQUESTS_AT_ONCE]
        contents: list[bytes | Unreadable] = []
        places = [file_system_of(url) for url in some]
        for _, group in groupby(places, lambda place: id(place[0])):
            contents += _fetch(list(group))
        yield some, contents


def _fetch(places: "Sequence[tuple[AbstractFileSystem, str]]") -> list[bytes | Unreadable]:
    """Return the contents of objects of one store."""
    paths = [path for _, path in places]
    try:
        found = places[0][0].cat(paths, on_error="return")
    except Exception as error:  # stores raise many kinds
        return [Unreadable(reason_of(error))] * len(paths)
    contents = found if isinstance(found, dict) else {paths[0]: found}
    return [
        Unreadable(reason_of(content)) if isinstance(content, Exception) else _checked(bytes(content))
        for content in (contents.get(path, FileNotFoundError("no such object")) for path in paths)
    ]


def _checked(content: bytes) -> bytes | Unreadable:
    if len(content) > MAX_FILE_BYTES:
        return Unreadable(f"the file is larger than {MAX_FILE_BYTES} bytes, the limit on an image file")
    return content
