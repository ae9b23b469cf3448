"""The trainer process of a server: started when a run is queued, stopped with the server."""

import importlib.util
import logging
import os
import subprocess
import sys
import threading
import time

from app.errors import UnavailableError
from app.settings import Settings
from inkling.cpus import count_cpus
from inkling.locks.trainer_lock import TrainerLock
from inkling.registry.registry import Registry

IDLE_EXIT_S = 10
RESTART_S = 5.0
STOP_S = 10.0

logger = logging.getLogger(__name__)


class TrainerProcess:
    """Owns the trainer process of this server, if it has one (`INKLING_TRAINER=process`).

    Args:
        settings: of the server.
        registry: of the server.
        restart_s: seconds before a trainer is started again: one that dies at its start must not be started in a loop.
        stop_s: seconds that a trainer has to end in order, before it is killed.
    """

    def __init__(
        self, settings: Settings, registry: Registry, *, restart_s: float = RESTART_S, stop_s: float = STOP_S
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._restart_s, self._stop_s = restart_s, stop_s
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = -restart_s
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
                "training needs TensorFlow, which is not installed here: pip install '.[train]' in the project's "
                "folder, or set INKLING_TRAINER=external and start `inkling worker` where TensorFlow is"
            )

    def ensure(self) -> None:
        """Start the trainer process if a run is queued and none is alive. Blocks: not for the event loop."""
        if not self.is_own:
            return
        with self._lock:
            is_alive = self._process is not None and self._process.poll() is None
            is_soon = time.monotonic() - self._started_at < self._restart_s
            if is_alive or is_soon or self._is_stopped or self._trainer_lock.is_held():
                return
            if identity := self._trainer_lock.identity():
                self._registry.runs.expire_leases(identity)  # their owner is dead, or it would hold the lock
            if not self._registry.runs.has_work():
                return
            self._process = self._start()
            self._started_at = time.monotonic()
            logger.info("trainer started, process %d", self._process.pid)

    def stop(self) -> None:
        """Have the trainer put its run back into the queue, and wait until the process has ended."""
        with self._lock:
            self._is_stopped = True
            if self._process is None or self._process.poll() is not None:
                return
            self._process.terminate()
            try:
                self._process.wait(self._stop_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        settings = self._settings
        environment = {
            **os.environ,
            "INKLING_DATA_DIR": str(settings.data_dir.absolute()),
            "INKLING_DATABASE_URL": settings.registry_url,
        }
        if settings.mnist_dir:
            environment["INKLING_MNIST_DIR"] = str(settings.mnist_dir.absolute())
        threads = settings.trainer_threads or max(1, count_cpus() - 1)  # one core is left to predictions
        environment["INKLING_TRAINER_THREADS"] = str(threads)
        # A process group of its own: Ctrl-C reaches the server alone, which then stops its trainer in order. Not a
        # session of its own: Linux would weigh it against the server's, and a prediction could not preempt it at once.
        return subprocess.Popen(
            [sys.executable, "-m", "training", "worker", "--idle-exit", str(IDLE_EXIT_S)],
            env=environment,
            stdin=subprocess.DEVNULL,
            process_group=0,
        )
