"""Training runs as the service sees them: makes sure that a trainer is alive, and says what a run waits for."""

import importlib.util
import logging
import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime

from app.errors import UnavailableError
from app.settings import Settings
from inkling.locks.trainer_lock import TrainerLock
from inkling.registry.records import Run
from inkling.registry.registry import Registry

IDLE_EXIT_S = 10
RESTART_S = 5.0
"""A trainer that dies at its start is not started again sooner."""
STOP_S = 10.0
PATIENCE_S = 5.0
"""An external trainer looks for work every second; when it has taken none for so long, there is none."""

logger = logging.getLogger(__name__)


class Trainer:
    """Owns the trainer process of this server, if it has one (`INKLING_TRAINER=process`)."""

    def __init__(self, settings: Settings, registry: Registry) -> None:
        self._settings = settings
        self._registry = registry
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._lock = threading.Lock()
        self._trainer_lock = TrainerLock(settings.data_dir)
        self._is_stopped = False

    @property
    def is_own(self) -> bool:
        return self._settings.trainer == "process"

    def require(self) -> None:
        """Check that a run which is queued now can be trained.

        Raises:
            UnavailableError: this server starts its trainers itself, and TensorFlow is not installed.
        """
        if self.is_own and importlib.util.find_spec("tensorflow") is None:
            raise UnavailableError(
                "training needs TensorFlow, which is not installed here: pip install 'inkling[train]', "
                "or set INKLING_TRAINER=external and start `inkling worker` where it is"
            )

    def ensure(self) -> None:
        """Start the trainer process if a run waits and none is alive. Blocks: not for the event loop."""
        if not self.is_own:
            return
        with self._lock:
            is_alive = self._process is not None and self._process.poll() is None
            is_soon = time.monotonic() - self._started_at < RESTART_S
            if is_alive or is_soon or self._is_stopped or self._trainer_lock.is_held():
                return
            if identity := self._trainer_lock.identity():
                self._registry.runs.expire_leases(identity)  # whoever took them is dead, or it would hold the lock
            if not self._registry.runs.has_work():
                return
            self._process = self._start()
            self._started_at = time.monotonic()
            logger.info("trainer started, process %d", self._process.pid)

    def stop(self) -> None:
        """Have the trainer put its run back into the queue, and wait until it is gone."""
        with self._lock:
            self._is_stopped = True
            if self._process is None or self._process.poll() is not None:
                return
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def describe_wait(self, run: Run) -> str | None:
        """Return what a queued run waits for, in words; None if it does not wait."""
        if run.state != "queued":
            return None
        if training := self._registry.runs.running():
            return f"waits for run {training.id}, which is being trained"
        if self.is_own:
            return "waits for its trainer, which is starting"
        waited = (datetime.now(UTC) - run.requested_at).total_seconds()
        if waited < PATIENCE_S:
            return "waits for a trainer to take it"
        return (
            f"no trainer has taken it for {waited:.0f} s; start one on this registry: "
            "`inkling worker`, or `docker compose up trainer`"
        )

    def _start(self) -> subprocess.Popen[bytes]:
        settings = self._settings
        environment = {
            **os.environ,
            "INKLING_DATA_DIR": str(settings.data_dir.absolute()),
            "INKLING_DATABASE_URL": settings.registry_url,
        }
        if settings.mnist_dir:
            environment["INKLING_MNIST_DIR"] = str(settings.mnist_dir.absolute())
        environment["INKLING_TRAINER_THREADS"] = str(settings.trainer_threads or _all_processors_but_one())
        # A process group of its own: Ctrl-C reaches the server alone, which then stops its trainer in order. Not a
        # session of its own: Linux would weigh it against the server's, and not let a prediction interrupt it at once.
        return subprocess.Popen(
            [sys.executable, "-m", "training", "worker", "--idle-exit", str(IDLE_EXIT_S)],
            env=environment,
            stdin=subprocess.DEVNULL,
            process_group=0,
        )


def _all_processors_but_one() -> int:
    """Return how many processors a trainer may keep busy, so that predictions find one that is not."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, processors - 1)
