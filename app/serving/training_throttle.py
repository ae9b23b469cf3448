"""Pauses the trainers of this machine while the server's event loop lags."""

import asyncio
import logging
import time
from collections import deque
from pathlib import Path

from app.observability.metrics import Metrics
from app.settings import Settings
from inkling.locks.pause_lock import PauseLock

PROBE_S = 0.05
WINDOW_S = 5.0
"""Seconds over which the p99 lag is taken; trainers stay paused at least this long."""
MAX_LATE = WINDOW_S / PROBE_S / 100
"""Probes of a window that may be late: 1 in 100."""

logger = logging.getLogger(__name__)


class TrainingThrottle:
    """Owns this process's hold on the pause lock.

    A training run delays a prediction before the server can time it: the request lies in its socket until the server
    gets a CPU core. Therefore a probe sleeps 50 ms and records how late it wakes (event-loop lag): a request that
    arrives at that moment waits as long. The time that large bodies, large pictures and slow clients take says nothing
    about the trainer, and is left out.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._limit_s = settings.pause_training_lag_ms / 1000
        self._metrics = metrics
        self._pause_lock = _open(settings.data_dir)
        self._lags: deque[tuple[float, float]] = deque()
        """Of the last WINDOW_S: the moment, in monotonic seconds, and the probe's lag."""
        self._images = 0
        self._is_needed_until = 0.0
        self.is_paused = False

    async def watch(self) -> None:
        """Probe while predictions come, until cancelled."""
        try:
            while True:
                due = time.monotonic() + PROBE_S
                await asyncio.sleep(PROBE_S)
                now = time.monotonic()
                self.observe(max(0.0, now - due), now)
        finally:
            if self._pause_lock:
                self._pause_lock.close()

    def observe(self, lag_s: float, now: float) -> None:
        """Record a probe's lag at a moment in monotonic seconds; pause or resume the trainers."""
        if self._metrics.images != self._images:
            self._images = self._metrics.images
            self._is_needed_until = now + WINDOW_S
        self._metrics.observe_lag(lag_s)
        if now < self._is_needed_until:
            self._lags.append((now, lag_s))
        while self._lags and self._lags[0][0] <= now - WINDOW_S:
            self._lags.popleft()
        late = sum(lag_s > self._limit_s for _, lag_s in self._lags)
        self._set_paused(is_late=late > MAX_LATE)

    def _set_paused(self, *, is_late: bool) -> None:
        if self._pause_lock is None or is_late == self.is_paused:
            return
        if not is_late:
            self._pause_lock.release()
            logger.info("the event loop's lag is back under its limit: training continues")
        elif self._pause_lock.hold():
            logger.info("the event loop's p99 lag exceeds %g ms: training is paused", self._limit_s * 1000)
        else:
            return  # a trainer is checking the lock: try again at the next probe
        self.is_paused = is_late
        self._metrics.set_training_paused(is_paused=is_late)


def _open(data_dir: Path) -> PauseLock | None:
    try:
        return PauseLock(data_dir)
    except OSError as error:
        logger.warning("cannot pause training while predictions wait: %s", error)
        return None
