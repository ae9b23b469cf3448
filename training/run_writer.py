"""The writes of a trainer to its run, which an outage of the registry delays."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError, SQLAlchemyError

from inkling.registry.database_errors import describe_database_error
from inkling.registry.disk_full import is_disk_full
from inkling.registry.records import Lease, Progress, StageName
from inkling.registry.registry import Registry
from training.snapshot import TrainingState
from training.timings import Timings

T = TypeVar("T")

MAX_KEPT = 20_000
"""Lines of progress that are kept while the registry is away, some 4 MB; of more, every second one is dropped."""
AT_ONCE = 500
"""Lines that are written in one transaction."""

logger = logging.getLogger(__name__)


class RunWriter:
    """Owns what a trainer has not yet written to its run. While the registry is away, the training goes on.

    Args:
        registry: that holds the run.
        lease: of the run.
        timings: how often and for how long a write is retried.
        check_stop: raises an exception if the process was asked to stop.
        note_outage: called at each write that fails.
    """

    def __init__(
        self,
        registry: Registry,
        lease: Lease,
        timings: Timings,
        check_stop: Callable[[], None],
        note_outage: Callable[[], None],
    ) -> None:
        self._registry = registry
        self.lease = lease
        self._timings = timings
        self._check_stop = check_stop
        self._note_outage = note_outage
        self._lines: list[Progress] = []
        self._saved_at = self.alive_at = time.monotonic()
        self._is_training = False
        """Whether the registry knows that the steps are taken."""
        self._away_since: float | None = None
        self._is_answered = True
        """Whether the registry has answered the heartbeat since the last write that failed."""

    @property
    def is_away(self) -> bool:
        """Whether the registry has not answered the last write."""
        return self._away_since is not None

    def record(self, progress: Progress, copy_state: Callable[[], TrainingState]) -> None:
        """Record progress, and now and then the state to resume from: at once, or when the registry is back.

        While it is away, only the heartbeat calls it, so that the training does not wait. On a full disk it does.

        Raises:
            LeaseLostError: the run was cancelled, or given to another trainer.
            SQLAlchemyError: the registry has been away for too long.
        """
        self.alive_at = time.monotonic()
        self._lines.append(progress)
        if len(self._lines) > MAX_KEPT:
            del self._lines[:-1:2]

        def write() -> None:
            if not self._is_training:
                self._registry.runs.enter_stage(self.lease, "training")
                self._is_training = True
            self._write_lines()
            if self.alive_at - self._saved_at >= self._timings.snapshot_s:
                self._registry.runs.save_snapshot(self.lease, copy_state().to_snapshot())
                self._saved_at = self.alive_at

        if not self._is_answered and not self._is_overdue():
            return
        try:
            write()
        except SQLAlchemyError as error:
            if is_disk_full(error):
                self.write(write)
                return
            self._note_failure(error)
        else:
            self._note_return()

    def enter(self, stage: StageName) -> None:
        """Record that a stage begins; wait for the registry if it is away.

        Raises:
            LeaseLostError, SQLAlchemyError: as `record`.
        """
        self.write(lambda: self._registry.runs.enter_stage(self.lease, stage))
        self._is_training = stage == "training"

    def note_answer(self) -> None:
        """Note that the registry has answered the heartbeat."""
        self._is_answered = True

    def flush(self) -> None:
        """Write all that is kept; wait for the registry if it is away.

        Raises:
            LeaseLostError, SQLAlchemyError: as `record`.
        """
        self.write(self._write_lines)

    def write(self, write: Callable[[], T]) -> T:
        """Write to the registry, and retry until it answers: an outage ends no run.

        Raises:
            SQLAlchemyError: the registry has been away for too long, or its disk full.
        """
        started, is_reported = time.monotonic(), False
        while True:
            self.alive_at = time.monotonic()
            try:
                written = write()
            except SQLAlchemyError as error:
                self._check_stop()
                if is_disk_full(error):
                    if self.alive_at - started > self._timings.disk_full_s:
                        raise
                    is_reported = is_reported or self._report_full_disk(error)
                else:
                    self._note_failure(error)
                time.sleep(self._timings.poll_s)
            else:
                self._note_return()
                return written

    def _write_lines(self) -> None:
        while self._lines:
            self._registry.runs.record_progress(self.lease, *self._lines[:AT_ONCE])
            del self._lines[:AT_ONCE]

    def _note_failure(self, error: SQLAlchemyError) -> None:
        """Note that the registry is away, or raise the error if it was for too long, or no retry helps."""
        self._note_outage()
        self._is_answered = False
        if self._away_since is None:
            self._away_since = time.monotonic()
            words = describe_database_error(error)
            logger.warning("run %d: cannot write to the registry, will retry: %s", self.lease.run.id, words)
        if self._is_overdue() or isinstance(error, IntegrityError | DataError | ProgrammingError):
            raise error

    def _is_overdue(self) -> bool:
        return self._away_since is not None and time.monotonic() - self._away_since > self._timings.away_s

    def _note_return(self) -> None:
        if self._away_since is not None:
            away_s = time.monotonic() - self._away_since
            logger.info("run %d: the registry answers again, after %.0f s", self.lease.run.id, away_s)
        self._away_since, self._is_answered = None, True

    def _report_full_disk(self, error: SQLAlchemyError) -> bool:
        """Record why the run waits, which a little room suffices for; return whether that succeeded."""
        logger.warning("cannot write to the registry, will retry: %s", describe_database_error(error))
        trouble = "paused: the disk of the registry is full; free some space, and the training continues"
        try:
            self._registry.runs.report_trouble(self.lease, trouble, self._timings.lease_s)
        except SQLAlchemyError:
            return False
        return True
