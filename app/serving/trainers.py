"""The trainers of a server: as many processes as there are runs to train, up to a limit."""

import importlib.util
import logging
import shutil
import threading

from app.errors import UnavailableError
from app.serving.trainer_process import RESTART_S, STOP_S, TrainerProcess
from app.serving.trainer_watch import Patience
from app.settings import Settings
from inkling.cpus import count_cpus
from inkling.registry.registry import Registry

MIN_FREE_BYTES = 1 << 20
"""Free space on the disk of the data directory below which no trainer is started: it could write nothing."""

logger = logging.getLogger(__name__)


class Trainers:
    """Owns the trainer processes of this server, if it has any (`INKLING_TRAINER=process`).

    They are numbered from 1, and each number has a lock in the data directory, so that several servers on it do not
    start more than one of them each.

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
        self._stop_s = stop_s
        self._is_disk_full = False
        self._is_stopped = False
        self._lock = threading.Lock()
        count = min(settings.runs_at_once, count_cpus())
        threads = settings.trainer_threads or max(1, (count_cpus() - 1) // count)  # one core is left to predictions
        self._processes = [
            TrainerProcess(
                settings, registry, number, threads=threads, restart_s=restart_s, patience=patience or Patience()
            )
            for number in range(1, count + 1)
        ]

    @property
    def is_own(self) -> bool:
        return self._settings.trainer == "process"

    @property
    def runs_at_once(self) -> int:
        """How many runs of the registry may be trained at the same time."""
        return self._settings.runs_at_once

    def is_any_alive(self) -> bool:
        """Return whether a trainer works in the data directory, whoever started it."""
        return any(process.is_present() for process in self._processes)

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
        """Start trainers while there are more runs to train than trainers without one; end those that hang.

        Blocks: not for the event loop.
        """
        if not self.is_own:
            return
        with self._lock:
            if not self._is_stopped:
                self._ensure()

    def _ensure(self) -> None:
        workload, is_full = self._registry.runs.workload(), self._has_full_disk()
        for process in self._processes:
            process.look(workload, is_disk_full=is_full)
        if is_full:
            return
        free = [process for process in self._processes if not process.is_present()]
        if sum(process.expire_leases(workload) for process in free):
            workload = self._registry.runs.workload()
        waiting = sum(process.is_waiting(workload) for process in self._processes if process not in free)
        wanted = workload.claimable(self.runs_at_once) - waiting
        for process in [process for process in free if process.is_startable()][: max(0, wanted)]:
            process.start()

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

    def stop(self) -> None:
        """Have the trainers put their runs back into the queue, and wait until the processes have ended."""
        with self._lock:
            self._is_stopped = True
            for process in self._processes:
                process.terminate()
            for process in self._processes:
                process.wait(self._stop_s)
