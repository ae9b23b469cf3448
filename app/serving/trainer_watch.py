"""The watch over a trainer process: the end of one that hangs, and the words for one that died."""

import logging
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass

from inkling.registry.records import LeaseState

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Patience:
    """How long a trainer may be alive without a valid lease before it is ended, in seconds."""

    expired_s: float = 15.0
    """With an expired lease: it renews its lease every 10 s, also if the clock was set forward."""
    idle_s: float = 30.0
    """Without a run, because its run was cancelled: a trainer without work claims another run or exits in 10 s."""
    start_s: float = 120.0
    """Without a run so far: on a busy machine a start takes a while."""
    stop_s: float = 10.0
    """From SIGTERM to SIGKILL."""


class TrainerWatch:
    """Owns the observations of one trainer process. `check` is called twice per second while it is alive."""

    def __init__(self, pid: int, patience: Patience) -> None:
        self._pid = pid
        self._patience = patience
        self._has_held_lease = False
        self._checked_at = self._suspect_since = time.monotonic()
        self._terminated_at: float | None = None

    @property
    def has_ended_it(self) -> bool:
        """Whether the process was ended because it did not respond."""
        return self._terminated_at is not None

    def check(self, lease: LeaseState) -> None:
        """End the process with SIGTERM, then SIGKILL, if it has had no valid lease for too long."""
        now = time.monotonic()
        # After a gap the registry may have been unreachable, for the trainer as well: it gets its time again.
        if lease == "valid" or now - self._checked_at > 5 + self._patience.expired_s / 3:
            self._suspect_since = now
        self._has_held_lease |= lease is not None
        self._checked_at = now
        if lease == "expired":
            limit_s = self._patience.expired_s
        else:
            limit_s = self._patience.idle_s if self._has_held_lease else self._patience.start_s
        if now - self._suspect_since >= limit_s:
            self._end(now)

    def _end(self, now: float) -> None:
        if self._terminated_at is None:
            logger.warning("trainer process %d does not respond: ending it with SIGTERM", self._pid)
            self._terminated_at = now
            self._send(signal.SIGTERM)
        elif now - self._terminated_at >= self._patience.stop_s:
            logger.warning("trainer process %d does not react to SIGTERM: killing it", self._pid)
            self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._pid, number)


def describe_death(exit_code: int, *, has_hung: bool = False) -> str | None:
    """Return how a trainer process died, in words; None if it ended in order.

    Args:
        exit_code: as subprocess returns it, negative for the signal that killed the process.
        has_hung: whether the server ended it.
    """
    if exit_code == 0 and not has_hung:
        return None
    if exit_code >= 0:
        how = f"ended with exit code {exit_code}; the server's log has its last lines"
    else:
        number = -exit_code
        name = signal.Signals(number).name if number in list(signal.Signals) else "a signal"
        how = f"was killed by {name} (signal {number}, exit code {128 + number})"
    if has_hung:
        return f"its trainer did not respond, so the server ended it: it {how}"
    if exit_code == -signal.SIGKILL:
        how += "; if nobody killed it, the system had no memory left: give it more, or lower batch_size"
    return f"its trainer {how}"
