"""Tar files of image files, such as the shards of WebDataset, plain or compressed."""

import lzma
import tarfile
import zlib
from collections.abc import Iterator
from itertools import count

from inkling.bulk.batches import (
    MAX_FILE_BYTES,
    UNIT_BYTES,
    UNIT_FILES,
    UNIT_PICTURES,
    Batch,
    Item,
    Loaded,
    Unit,
    Unreadable,
)
from inkling.bulk.storage import identity, open_file, reason_of
from inkling.errors import ImageError
from inkling.file_kinds import IMAGE_SUFFIXES
from inkling.predictor import Fit

READ_BYTES = 1 << 16


def tar_units(name: str, fit: Fit) -> Iterator[Unit]:
    """Yield the units of a tar file: its members with the names of images, each as FILE/MEMBER.

    It is read once from its start to its end, here, so that it may be compressed, or in a store.

    Raises:
        ImageError: it is no tar file, or holds no image.
        OSError: it cannot be read; stores raise other exceptions, too.
    """
    most = UNIT_FILES if fit == "strict" else UNIT_PICTURES
    numbers = count()
    version = identity(name)

    def unit() -> Loaded:
        return Loaded(Batch(tuple(names), None, tuple(items)), f"{name} ({version}), part {next(numbers)}: {names[0]}")

    names: list[str] = []
    items: list[Item] = []
    held, is_empty = 0, True
    for member, item in _members(name):
        is_empty = False
        names.append(f"{name}/{member}" if member else name)
        items.append(item)
        held += len(item) if isinstance(item, bytes) else 0
        if len(items) == most or held >= UNIT_BYTES:
            yield unit()
            names, items, held = [], [], 0
    if items:
        yield unit()
    if is_empty:
        raise ImageError(f"it holds no image file ({', '.join(IMAGE_SUFFIXES)})")


def _members(name: str) -> Iterator[tuple[str, bytes | Unreadable]]:
    """Yield the names and contents of the image files; an empty name for a file that is damaged from there on."""
    found = 0
    try:
        with open_file(name) as file, tarfile.open(fileobj=file, mode="r|*") as archive:
            for member in archive:
                if not member.isfile() or not _is_image_name(member.name):
                    continue
                found += 1
                if member.size > MAX_FILE_BYTES:
                    yield member.name, Unreadable(f"it has {member.size} bytes; the limit is {MAX_FILE_BYTES}")
                    continue
                content = archive.extractfile(member)
                yield member.name, b"" if content is None else content.read()
            _check_end(archive)
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError) as error:
        if not found:
            raise ImageError(f"it is no tar file that can be read: {reason_of(error)}") from error
        yield "", Unreadable(f"it cannot be read beyond {found} images: {reason_of(error)}")


def _check_end(archive: tarfile.TarFile) -> None:
    """Check that an archive has ended where its writer ended it: with blocks of zeros, and nothing after them.

    The iteration over its members ends without a word, too, where the file is cut off between two of them, and at a
    head that is damaged.

    Raises:
        tarfile.ReadError: it has not.
    """
    is_ended = False
    while rest := archive.fileobj.read(READ_BYTES):
        if rest.strip(b"\0"):
            raise tarfile.ReadError("what follows is neither a file nor the end of the archive")
        is_ended = True
    if not is_ended:
        raise tarfile.ReadError("it ends without the zeros at the end of an archive, so it is cut off")


def _is_image_name(name: str) -> bool:
    last = name.rpartition("/")[2]
    return last.lower().endswith(IMAGE_SUFFIXES) and not last.startswith(".")
