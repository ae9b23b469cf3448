"""The locks of the trainers that servers start, one per trainer and data directory."""

import errno
import fcntl
import os
import secrets
import time
from pathlib import Path

from inkling.locks.file_lock import FileLock

RETRY_S = 0.05
"""Time between two attempts to acquire the lock."""


class TrainerLock(FileLock):
    """The file `trainer.lock`: locked while the trainer is alive; its content is the owner's name in the leases.

    That of a second trainer is `trainer-2.lock`, and so on.

    A lease outlives a killed trainer, but the lock does not. So while the lock is free, the leases of its owner can be
    expired at once.
    """

    def __init__(self, data_dir: Path, number: int = 1) -> None:
        super().__init__(data_dir / ("trainer.lock" if number == 1 else f"trainer-{number}.lock"))

    def acquire(self, timeout_s: float) -> str | None:
        """Lock until this process ends, waiting at most `timeout_s`.

        Returns:
            The owner's name, or None if another trainer still holds the lock.
        """
        deadline = time.monotonic() + timeout_s
        while (descriptor := self._open_locked()) is None:
            if time.monotonic() > deadline:
                return None
            time.sleep(RETRY_S)
        if self.identity() is None:
            os.pwrite(descriptor, secrets.token_hex(8).encode(), 0)
        return self.identity()

    def is_held(self) -> bool:
        """Return whether a trainer holds the lock now. On a read-only file system none does."""
        try:
            if (descriptor := self._open_locked()) is None:
                return True
        except OSError as error:
            if error.errno == errno.EROFS:
                return False
            raise
        os.close(descriptor)
        return False

    def identity(self) -> str | None:
        """Return the owner's name in the leases, None before the first trainer."""
        return self._path.read_text("ascii", "replace").strip() or None if self._path.exists() else None

    def _open_locked(self) -> int | None:
        descriptor = self._open()
        if self._try(descriptor, fcntl.LOCK_EX):
            return descriptor
        os.close(descriptor)
        return None
