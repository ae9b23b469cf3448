"""Atomic writing of files and folders."""

import errno
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that another process sees all of it or none of it."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with partial.open("xb") as file:  # not tempfile: only the owner may read its files
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_folder_atomically(path: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder of files, by their paths inside of it; a folder that is there is replaced by the complete new one.

    A crash between the two renames leaves both under names that begin with a dot.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial, old = (path.with_name(f".{path.name}.{secrets.token_hex(8)}") for _ in range(2))
    try:
        for name, content in files.items():
            write_atomically(partial / name, content)
        if path.exists():
            path.rename(old)
        partial.rename(path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)
