"""A lock file, which processes lock shared or exclusively without waiting."""

import fcntl
import os
from pathlib import Path


class FileLock:
    """The base of the locks in a data directory: an flock(2), which the kernel releases when its process ends."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path

    def _open(self) -> int:
        """Return a descriptor of the file, not locked yet.

        Raises:
            OSError: the data directory cannot be written.
        """
        return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @staticmethod
    def _try(descriptor: int, kind: int) -> bool:
        """Lock with LOCK_SH or LOCK_EX; return whether that succeeded."""
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
