"""One trainer process of a server: its start, its death, its end."""

import logging
import os
import subprocess
import sys
import time

from app.serving.trainer_watch import Patience, TrainerWatch, describe_death
from app.settings import Settings
from inkling.locks.trainer_lock import TrainerLock
from inkling.registry.records import Workload
from inkling.registry.registry import Registry

IDLE_EXIT_S = 10
RESTART_S = 5.0
MAX_RESTART_S = 60.0
STOP_S = 8.0

logger = logging.getLogger(__name__)


class TrainerProcess:
    """Owns the trainer of one number, while this server has it. Of one thread at a time.

    Args:
        settings: of the server.
        registry: of the server.
        number: of this trainer in the data directory, from 1.
        threads: that it computes with.
        restart_s: seconds before it is started again, doubled for each time that it died in a row.
        patience: how long it may hang.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        number: int,
        *,
        threads: int,
        restart_s: float,
        patience: Patience,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._number = number
        self._threads = threads
        self._restart_s = restart_s
        self._patience = patience
        self._lock = TrainerLock(settings.data_dir, number)
        self._process: subprocess.Popen[bytes] | None = None
        self._watch: TrainerWatch | None = None
        self._deaths = 0
        self._trouble: str | None = None
        self._started_at = -MAX_RESTART_S

    def look(self, workload: Workload, *, is_disk_full: bool) -> None:
        """End the process if it hangs; if it has died, log that and remember it.

        With a full disk it cannot renew its lease, and waits.
        """
        if self._process is None or self._watch is None:
            return
        exit_code = self._process.poll()
        if exit_code is None:
            if not is_disk_full:
                self._watch.check(workload.lease_state(self._lock.identity()))
            return
        self._trouble = describe_death(exit_code, has_hung=self._watch.has_ended_it)
        if self._trouble:
            logger.error("trainer process %d: %s", self._process.pid, self._trouble)
        self._deaths = self._deaths + 1 if self._trouble else 0
        self._process = self._watch = None

    def is_present(self) -> bool:
        """Return whether the trainer of this number lives: this server's, or another one's on the data directory."""
        return self._process is not None or self._lock.is_held()

    def is_waiting(self, workload: Workload) -> bool:
        """Return whether the trainer, which is present, has no run: it starts, or waits for one."""
        return workload.lease_state(self._lock.identity()) is None

    def expire_leases(self, workload: Workload) -> bool:
        """Let the leases of this number's last trainer, which is dead, expire now; return whether it had one."""
        identity = self._lock.identity()
        if workload.lease_state(identity) != "valid" and self._trouble is None:
            return False
        if identity:
            self._registry.runs.expire_leases(identity, self._trouble)
        self._trouble = None
        return True

    def is_startable(self) -> bool:
        """Return whether it may be started now: not soon after the last start."""
        longest = max(self._restart_s, MAX_RESTART_S)
        delay_s = min(self._restart_s * 2.0 ** min(max(0, self._deaths - 1), 10), longest)
        return time.monotonic() - self._started_at >= delay_s

    def start(self) -> None:
        settings = self._settings
        environment = {
            **os.environ,
            "INKLING_DATA_DIR": str(settings.data_dir.absolute()),
            "INKLING_DATABASE_URL": settings.registry_url,
            "INKLING_RUNS_AT_ONCE": str(settings.runs_at_once),
            "INKLING_TRAINER_THREADS": str(self._threads),
        }
        if settings.mnist_dir:
            environment["INKLING_MNIST_DIR"] = str(settings.mnist_dir.absolute())
        if settings.mnist_mirror:
            environment["INKLING_MNIST_MIRROR"] = settings.mnist_mirror
        if settings.dataset:
            environment["INKLING_DATASET"] = str(settings.dataset.absolute())
            environment["INKLING_DATASET_FIT"] = settings.dataset_fit
            environment["INKLING_DATASET_SKIP"] = str(settings.dataset_skip)
        # A process group of its own: Ctrl-C reaches the server alone, which then stops its trainer in order. Not a
        # session of its own: Linux would weigh it against the server's, and a prediction could not preempt it at once.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "training", "worker", f"--idle-exit={IDLE_EXIT_S}", f"--number={self._number}"],
            env=environment,
            stdin=subprocess.DEVNULL,
            process_group=0,
        )
        self._watch = TrainerWatch(self._process.pid, self._patience)
        self._started_at = time.monotonic()
        logger.info("trainer started, process %d", self._process.pid)

    def terminate(self) -> None:
        """Ask the process to end, if it lives."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def wait(self, stop_s: float) -> None:
        """Wait until the process has ended; kill it after `stop_s`."""
        if self._process is None:
            return
        try:
            self._process.wait(stop_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
