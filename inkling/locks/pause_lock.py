"""The lock by which servers pause the trainers of their machine."""

import fcntl
import os
import time
from pathlib import Path

from inkling.locks.file_lock import FileLock

CHECKS, RECHECK_S = 5, 0.01
"""How often a trainer looks before it takes the lock for held, and the time between two looks."""


class PauseLock(FileLock):
    """The file `pause.lock`: servers whose event loop lags hold it, shared; trainers check whether anyone does.

    A file lock, not a database row: the kernel releases it when its process dies, and like the CPU it belongs to one
    machine.

    Raises:
        OSError: the data directory cannot be written.
    """

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir / "pause.lock")
        self._descriptor = self._open()

    def close(self) -> None:
        """Release the lock and close its file."""
        os.close(self._descriptor)

    def hold(self) -> bool:
        """Pause the trainers until `release`; return whether that succeeded.

        It never waits. It fails only at the moment when a trainer checks the lock; then call it again.
        """
        return self._try(self._descriptor, fcntl.LOCK_SH)

    def release(self) -> None:
        """Let the trainers continue."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def is_held(self) -> bool:
        """Return whether a server has paused the trainers. Only for trainers: a server would release its own lock.

        What is locked for a moment only is not held: another trainer checks it.
        """
        for _ in range(CHECKS):
            if self._try(self._descriptor, fcntl.LOCK_EX):
                self.release()
                return False
            time.sleep(RECHECK_S)
        return True
