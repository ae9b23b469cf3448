"""One trainer to a data directory, and a sure sign of whether it lives: a lock that goes with its process."""

import fcntl
import os
import secrets
import time
from pathlib import Path

RETRY_S = 0.05


class TrainerLock:
    """The file `trainer.lock`: locked while the trainer that servers start lives; its content names its leases.

    A lease outlives a trainer that was killed. The lock does not, so that whoever finds it free knows at once that the
    leases of its identity are dead.
    """

    def __init__(self, data_dir: Path) -> None:
        data_dir.mkdir(parents=True, exist_ok=True)
        self._path = data_dir / "trainer.lock"
        self._descriptor: int | None = None

    def acquire(self, timeout_s: float) -> str | None:
        """Lock it for the rest of this process; return its identity, or none if another trainer holds it."""
        deadline = time.monotonic() + timeout_s
        while (descriptor := self._try()) is None:
            if time.monotonic() > deadline:
                return None
            time.sleep(RETRY_S)
        self._descriptor = descriptor  # closed with the process
        if self.identity() is None:
            os.pwrite(descriptor, secrets.token_hex(8).encode(), 0)
        return self.identity()

    def is_held(self) -> bool:
        """Whether a trainer holds the lock now."""
        if (descriptor := self._try()) is None:
            return True
        os.close(descriptor)
        return False

    def identity(self) -> str | None:
        """Return the name of the leases that its trainers took; none before the first trainer."""
        return self._path.read_text("ascii", "replace").strip() or None if self._path.exists() else None

    def _try(self) -> int | None:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor
