"""Predictions before training: notices when they wait for the processor, and has the trainers here stand still."""

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
"""Seconds that the p99 is of; so long, at least, trainers stand still."""
MOST_LATE = WINDOW_S / PROBE_S / 100
"""Probes of a window that may come late: 1 in 100."""

logger = logging.getLogger(__name__)


class TrainingThrottle:
    """Owns this process's claim on the right of way.

    A training run slows a prediction before the server can time it: the request lies in its socket until the server is
    given the processor. So a probe asks for the processor twenty times a second and measures how late it comes, which
    is how long a prediction waits that arrives then: behind the trainer, and behind those before it. How long large
    bodies, large pictures and slow clients take says nothing about the trainer, and is left out.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._limit_s = settings.pause_training_lag_ms / 1000
        self._metrics = metrics
        self._right_of_way = _open(settings.data_dir)
        self._waits: deque[tuple[float, float]] = deque()
        """Of the last WINDOW_S: when, in monotonic seconds, and how long the probe waited."""
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
            if self._right_of_way:
                self._right_of_way.close()

    def observe(self, wait_s: float, now: float) -> None:
        """Take note that the probe waited, at a moment in monotonic seconds; claim or release the right of way."""
        if self._metrics.images != self._images:
            self._images = self._metrics.images
            self._is_needed_until = now + WINDOW_S
        if now < self._is_needed_until:
            self._metrics.observe_lag(wait_s)
            self._waits.append((now, wait_s))
        while self._waits and self._waits[0][0] <= now - WINDOW_S:
            self._waits.popleft()
        late = sum(wait_s > self._limit_s for _, wait_s in self._waits)
        self._decide(late > MOST_LATE)

    def _decide(self, is_late: bool) -> None:
        if self._right_of_way is None or is_late == self.is_paused:
            return
        if not is_late:
            self._right_of_way.release()
            logger.info("predictions wait no more: training goes on")
        elif self._right_of_way.hold():
            logger.info("1 in 100 predictions waits more than %g ms: training stands still", self._limit_s * 1000)
        else:
            return  # a trainer looks this very moment: at the next probe
        self.is_paused = is_late
        self._metrics.set_training_paused(is_late)


def _open(data_dir: Path) -> PauseLock | None:
    try:
        return PauseLock(data_dir)
    except OSError as error:
        logger.warning("training cannot be asked to yield: %s", error)
        return None
