"""The output of a job: a partial file that grows, with its state beside it, until it takes its name."""

import errno
import fcntl
import hashlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ValidationError

from inkling.atomic_file import write_atomically
from inkling.bulk.formats import Encoder
from inkling.errors import BulkError

SAVE_S: Final = 1.0
"""Seconds of work that a kill may cost, beside the unit in progress: after them the state is saved again."""


class State(BaseModel):
    """How far a job has come. Saved only after the bytes that it counts are on the disk."""

    settings: dict[str, str]
    """All that changes the output, besides the input."""
    units: int = 0
    digest: str = ""
    """SHA-256 over the keys of these units."""
    size: int = 0
    """Bytes of the partial file."""
    images: int = 0
    errors: int = 0

    def add(self, key: str) -> None:
        """Count a unit."""
        self.units += 1
        self.digest = hashlib.sha256(f"{self.digest}\n{key}".encode(errors="surrogateescape")).hexdigest()


class Output:
    """Owns the partial file, which no other process may write at the same time.

    Args:
        path: of the output.
        encoder: of its format.
        settings: all that changes the output, besides the input, by name.
        overwrite: an output that exists is replaced, and what a killed job left is discarded.

    Raises:
        BulkError: the output exists, another process is writing it, or a job with other settings was begun.
        OSError: it cannot be written.
    """

    def __init__(self, path: Path, encoder: Encoder, settings: Mapping[str, str], *, overwrite: bool) -> None:
        self._path, self._encoder = path, encoder
        self._partial = path.with_name(f"{path.name}.partial")
        self._state_file = path.with_name(f"{path.name}.partial.json")
        _check_place(path)
        self._descriptor = self._lock()
        try:
            if path.exists() and not overwrite:
                self._discard_empty()
                raise BulkError(f"{path} exists; --overwrite replaces it")
            self.state = State(settings=dict(settings)) if overwrite else self._load(settings)
            self._begin()
        except BaseException:
            self.close()
            raise
        self._saved_at = float("-inf")  # the first unit is saved at once

    def append(self, content: bytes, key: str, *, images: int, errors: int) -> None:
        """Append the rows of the next unit.

        Raises:
            BulkError: the disk is full, or the file cannot be written; what is saved stays.
        """
        try:
            _write(self._descriptor, content)
            self.state.size += len(content)
            self.state.images += images
            self.state.errors += errors
            self.state.add(key)
            if time.monotonic() - self._saved_at > SAVE_S:
                self.save()
        except OSError as error:
            raise self._explain(error) from error

    def save(self) -> None:
        """Have the disk keep all rows so far, and then the state."""
        os.fsync(self._descriptor)
        write_atomically(self._state_file, self.state.model_dump_json(indent=1).encode())
        self._saved_at = time.monotonic()

    def finish(self) -> None:
        """Give the output its name.

        Raises:
            BulkError: the disk is full, or the file cannot be written; what is saved stays.
        """
        try:
            self.save()
            self._encoder.finish(self._partial, self._path)
            self._state_file.unlink()
        except OSError as error:
            raise self._explain(error) from error

    def close(self) -> None:
        """Let other processes write it."""
        os.close(self._descriptor)

    def _lock(self) -> int:
        descriptor = os.open(self._partial, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise BulkError(f"another process is writing {self._path}") from None
        return descriptor

    def _load(self, settings: Mapping[str, str]) -> State:
        """Return the state of a job that was killed, or that of a new one."""
        try:
            state = State.model_validate_json(self._state_file.read_bytes())
        except FileNotFoundError:
            return State(settings=dict(settings))
        except ValidationError as error:
            raise BulkError(f"{self._state_file} is damaged; --overwrite starts from the beginning") from error
        names = sorted({*settings, *state.settings})
        changed = [name for name in names if settings.get(name) != state.settings.get(name)]
        if changed:
            words = ", ".join(f"{name} was {state.settings.get(name)}, is {settings.get(name)}" for name in changed)
            raise BulkError(
                f"{self._partial} was begun with other options ({words}); "
                "give the same, or --overwrite, which starts from the beginning"
            )
        if os.fstat(self._descriptor).st_size < state.size:
            raise BulkError(f"{self._partial} is shorter than its state says; --overwrite starts from the beginning")
        return state

    def _begin(self) -> None:
        """Cut off what was written after the state was saved; a new file begins with the header."""
        try:
            os.ftruncate(self._descriptor, self.state.size)
            os.lseek(self._descriptor, 0, os.SEEK_END)
            if not self.state.size:
                self._state_file.unlink(missing_ok=True)
                _write(self._descriptor, self._encoder.header)
                self.state.size = len(self._encoder.header)
        except OSError as error:
            raise self._explain(error) from error

    def _discard_empty(self) -> None:
        """Remove the partial file that the lock has made, and the state that a kill after the end has left."""
        if not os.fstat(self._descriptor).st_size:
            self._partial.unlink()
            self._state_file.unlink(missing_ok=True)

    def _explain(self, error: OSError) -> BulkError:
        return BulkError(
            f"{self._path} cannot be written: {error.strerror}; the same command continues after "
            f"{_saved_images(self._state_file)} images"
        )


def _saved_images(state_file: Path) -> int:
    try:
        return State.model_validate_json(state_file.read_bytes()).images
    except (OSError, ValidationError):
        return 0


def _check_place(path: Path) -> None:
    if path.is_dir():
        raise BulkError(f"{path} is a folder: the output needs the name of a file")
    if not path.absolute().parent.is_dir():
        raise BulkError(f"{path.absolute().parent} is not a folder: the output cannot be written there")


def _write(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        written = os.write(descriptor, view)
        if not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        view = view[written:]
