"""The trainer process of a server: started when a run is queued, stopped with the server."""

import importlib.util
import logging
import os
import shutil
import subprocess
import sys
import threading
import time

from app.errors import UnavailableError
from app.serving.trainer_watch import Patience, TrainerWatch, describe_death
from app.settings import Settings
from inkling.cpus import count_cpus
from inkling.locks.trainer_lock import TrainerLock
from inkling.registry.registry import Registry

IDLE_EXIT_S = 10
RESTART_S = 5.0
MAX_RESTART_S = 60.0
STOP_S = 8.0
MIN_FREE_BYTES = 1 << 20
"""Free space on the disk of the data directory below which no trainer is started: it could write nothing."""

logger = logging.getLogger(__name__)


class TrainerProcess:
    """Owns the trainer process of this server, if it has one (`INKLING_TRAINER=process`).

    Args:
        settings: of the server.
        registry: of the server.
        restart_s: seconds before a trainer is started again, doubled for each one that died in a row: one that dies at
            its start must not be started in a loop.
        stop_s: seconds that a trainer has to end in order, before it is killed.
        patience: how long a trainer may hang.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        *,
        restart_s: float = RESTART_S,
        stop_s: float = STOP_S,
        patience: Patience | None = None,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._restart_s, self._stop_s = restart_s, stop_s
        self._patience = patience or Patience()
        self._process: subprocess.Popen[bytes] | None = None
        self._watch: TrainerWatch | None = None
        self._deaths = 0
        self._trouble: str | None = None
        self._is_disk_full = False
        self._started_at = -MAX_RESTART_S
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
        """Start the trainer process if a run is queued and none is alive, and end it if it hangs.

        Blocks: not for the event loop.
        """
        if not self.is_own:
            return
        with self._lock:
            if self._is_stopped or self._is_alive():
                return
            is_soon = time.monotonic() - self._started_at < self._restart_delay_s()
            if self._has_full_disk() or self._trainer_lock.is_held():
                return
            if identity := self._trainer_lock.identity():
                # their owner is dead, or it would hold the lock
                self._registry.runs.expire_leases(identity, self._trouble)
                self._trouble = None
            if is_soon or not self._registry.runs.has_work():
                return
            self._process = self._start()
            self._watch = TrainerWatch(self._registry, self._process.pid, self._patience)
            self._started_at = time.monotonic()
            logger.info("trainer started, process %d", self._process.pid)

    def disk_trouble(self) -> str | None:
        """Return why the disk of the data directory stops the training, in words; None if it does not."""
        try:
            free = shutil.disk_usage(self._settings.data_dir).free
        except OSError:
            return None
        if not self.is_own or free >= MIN_FREE_BYTES:
            return None
        return (
            f"paused: the disk of the data directory is full, {free} bytes are free and {MIN_FREE_BYTES} are needed; "
            "free some space, and the training continues"
        )

    def _has_full_disk(self) -> bool:
        trouble = self.disk_trouble()
        if (trouble is not None) != self._is_disk_full:
            self._is_disk_full = trouble is not None
            if trouble:
                logger.error("training is %s: %s", trouble, self._settings.data_dir.absolute())
            else:
                logger.info("the disk of the data directory has room again")
        return self._is_disk_full

    def _restart_delay_s(self) -> float:
        longest = max(self._restart_s, MAX_RESTART_S)
        return min(self._restart_s * 2.0 ** min(max(0, self._deaths - 1), 10), longest)

    def _is_alive(self) -> bool:
        """Return whether the trainer is alive. If it hangs, end it; if it has died, log that and remember it."""
        if self._process is None or self._watch is None:
            return False
        exit_code = self._process.poll()
        if exit_code is None:
            if not self._has_full_disk():  # or it cannot renew its lease, and waits
                self._watch.check(self._trainer_lock.identity())
            return True
        self._trouble = describe_death(exit_code, has_hung=self._watch.has_ended_it)
        if self._trouble:
            logger.error("trainer process %d: %s", self._process.pid, self._trouble)
        self._deaths = self._deaths + 1 if self._trouble else 0
        self._process = self._watch = None
        return False

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
