"""Predictions before training: a lock by which servers have the trainers of their machine stand still."""

import fcntl
import os
from pathlib import Path


class RightOfWay:
    """The file `right_of_way.lock`: held, together, by the servers whose predictions wait; a trainer looks at it.

    A lock and not a row of the registry: it goes with its process, so that no trainer waits for a server that was
    killed, and it is of the machine (the data directory), as is the processor that the two share.

    Raises:
        OSError: the data directory cannot be written.
    """

    def __init__(self, data_dir: Path) -> None:
        data_dir.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(data_dir / "right_of_way.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def close(self) -> None:
        """Release it, and hold its file open no more."""
        os.close(self._descriptor)

    def claim(self) -> bool:
        """Have trainers stand still until `release`; return whether they will.

        Never waits: in the very moment in which a trainer looks the claim fails, and is to be made again.
        """
        return self._lock(fcntl.LOCK_SH)

    def release(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def is_claimed(self) -> bool:
        """Whether a server wants trainers to stand still."""
        if not self._lock(fcntl.LOCK_EX):
            return True
        self.release()
        return False

    def _lock(self, kind: int) -> bool:
        try:
            fcntl.flock(self._descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
