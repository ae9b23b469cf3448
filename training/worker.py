"""The worker: claims queued runs and trains them, one at a time, in a process of its own."""

import logging
import os
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from inkling.datasets.own_data import require_dataset
from inkling.errors import LeaseLostError, RegistryError
from inkling.locks.pause_lock import PauseLock
from inkling.locks.trainer_lock import TrainerLock
from inkling.mnist import Dataset
from inkling.network.pretrained import load_pretrained
from inkling.network.recipe import Recipe
from inkling.registry.database_errors import describe_database_error
from inkling.registry.records import ErrorType, Lease, Progress, Run
from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from inkling.tracing import TRACING
from training.failures import describe_failure
from training.heartbeat import heartbeat
from training.lessons import Lessons, read_lessons
from training.next_trials import queue_next_trials
from training.process import StopRequested, StopSignal, lower_priority
from training.pruning import PrunedError, Pruning
from training.restored_state import restored_state
from training.run_trace import run_trace
from training.run_writer import RunWriter
from training.snapshot import Parameters, TrainingState
from training.tensorflow_environment import prepare_tensorflow
from training.timings import Timings
from training.warm_start import WarmStart
from training.weights_writer import WeightsWriter

if TYPE_CHECKING:
    from training.trainer import Trainer

logger = logging.getLogger(__name__)


REPORTED_PICTURES = 200
"""Pictures of own data between two reports of how many were read: some seconds."""


def work(
    settings: StoreSettings, idle_exit_s: float | None = None, timings: Timings | None = None, number: int = 1
) -> None:
    """Train queued runs until SIGTERM, or until no run was queued for `idle_exit_s`.

    A run that is being trained when the signal arrives goes back to the queue.

    Args:
        settings: the registry, the data and the limits.
        idle_exit_s: None: wait for runs until SIGTERM.
        timings: the periods of the worker; None: those of the settings.
        number: of this trainer among those that servers start on the data directory.

    Raises:
        RegistryError, SQLAlchemyError: the registry cannot be opened.
    """
    lower_priority()
    stop = StopSignal()
    stop.listen()
    registry = Registry.from_settings(settings)
    timings = timings or Timings.from_settings(settings)
    worker = Worker(registry, settings, stop, timings)
    try:
        owner = f"{socket.gethostname()[:16]}.{os.getpid()}"
        if idle_exit_s is not None:  # started by a server; several servers may start one each
            identity = TrainerLock(settings.data_dir, number).acquire(timeout_s=2)
            if identity is None:
                return
            owner = identity
        idle_since = time.monotonic()
        while True:
            stop.check()
            if worker.train_next(owner):
                idle_since = time.monotonic()
            elif idle_exit_s is not None and time.monotonic() - idle_since >= idle_exit_s:
                return
            else:
                time.sleep(timings.poll_s)
    except (StopRequested, KeyboardInterrupt):
        logger.info("asked to stop")
    finally:
        registry.close()


class Worker:
    """Trains runs of a registry in this process."""

    def __init__(
        self, registry: Registry, settings: StoreSettings, stop: StopSignal, timings: Timings | None = None
    ) -> None:
        self._registry = registry
        self._settings = settings
        self._stop = stop
        self._timings = timings or Timings.from_settings(settings)
        self._warm_start = WarmStart(settings)
        self._doubts_leases_from = time.monotonic()
        """When the registry was last away, or this worker began: leases that expired by then may be alive."""
        self._is_away = False

    def train_next(self, owner: str) -> bool:
        """Train the next queued run, if there is one; return whether there was."""
        try:
            queue_next_trials(self._registry)
            lease = self.claim(owner)
            self._is_away = False
            if lease is None:
                return False
            self.train(lease)
        except SQLAlchemyError as error:
            if not self._is_away:
                logger.warning("cannot reach the registry, will retry: %s", describe_database_error(error))
            self._is_away = True
            self._note_outage()
            return False
        return True

    def _note_outage(self) -> None:
        self._doubts_leases_from = time.monotonic()

    def _has_been_steady_for(self, seconds: float) -> bool:
        return time.monotonic() - self._doubts_leases_from >= seconds

    def claim(self, owner: str, run_id: int | None = None) -> Lease | None:
        """Claim the oldest queued run, or the one with this id; None if there is none or too many are being trained."""
        # A command that names its run does not wait.
        trusts_leases = run_id is not None or self._has_been_steady_for(self._timings.grace_s)
        return self._registry.runs.claim(
            self._timings.lease_s, owner, run_id, self._settings.runs_at_once, takes_over=trusts_leases
        )

    def train(
        self,
        lease: Lease,
        on_progress: Callable[[Progress], None] = lambda progress: None,
        on_drawn: Callable[[int, int], None] = lambda drawn, total: None,
    ) -> Run:
        """Train a claimed run and return it as it ended. Failures are recorded in the registry, not raised.

        The callbacks are called as those of `training.loop.train`.

        Raises:
            StopRequested, KeyboardInterrupt: the process was asked to stop; the run is in the queue again.
        """
        with run_trace(lease.run):
            self._train_or_record_failure(lease, on_progress, on_drawn)
            run = self._registry.runs.get(lease.run.id)
            TRACING.describe({"inkling.state": run.state}, is_failed=run.state == "failed")
            return run

    def _train_or_record_failure(
        self, lease: Lease, on_progress: Callable[[Progress], None], on_drawn: Callable[[int, int], None]
    ) -> None:
        run = lease.run
        logger.info("run %d: training, attempt %d", run.id, run.attempt)
        writer = RunWriter(self._registry, lease, self._timings, self._stop.check, self._note_outage)

        def has_stalled() -> bool:
            return time.monotonic() - writer.alive_at > self._timings.stall_s

        def note(is_answered: bool) -> None:  # noqa: FBT001  a callback with one argument
            writer.note_answer() if is_answered else self._note_outage()

        try:
            with heartbeat(self._registry, lease, self._timings.lease_s, has_stalled, note):
                self._train_and_publish(writer, on_progress, on_drawn)
        except (StopRequested, KeyboardInterrupt):
            self._registry.runs.release(lease)
            raise
        except LeaseLostError:
            logger.info("run %d: cancelled, or given to another trainer", run.id)
        except PrunedError as pruned:
            logger.info("run %d: trial %d of search %d, %s", run.id, run.trial, run.search, pruned)
        except Exception as error:  # the boundary of a run: every error must reach whoever asks for the run
            error_type, detail = describe_failure(error, self._timings.away_s)
            logger.error("run %d: failed: %s", run.id, detail, exc_info=error if error_type == "internal" else None)
            self._record_failure(writer, error_type, detail)

    def _train_and_publish(
        self, writer: RunWriter, on_progress: Callable[[Progress], None], on_drawn: Callable[[int, int], None]
    ) -> None:
        with TRACING.span("prepare"):
            data, lessons = self._prepare(writer)
        with TRACING.span("train"):
            parameters = self._train(writer, data, lessons, on_progress, on_drawn)
        with TRACING.span("publish"):
            self._publish(writer, data, lessons, parameters)

    def _prepare(self, writer: RunWriter) -> tuple[Dataset, Lessons]:
        require_dataset(self._settings, writer.lease.run.dataset)
        data = self._warm_start.dataset(partial(self._record_read, writer), partial(writer.enter, "reading images"))
        for remark in data.remarks:
            logger.warning("run %d: %s: %s", writer.lease.run.id, data.name, remark)
        prepare_tensorflow(self._settings.trainer_threads)
        if "tensorflow" not in sys.modules:
            writer.enter("starting TensorFlow")
        self._report_preparation(writer, "loading TensorFlow")
        # or the first network that is trained would be served, without a comparison
        writer.write(lambda: self._registry.versions.add_first(load_pretrained()))
        return data, writer.write(lambda: read_lessons(self._registry, writer.lease.run.recipe, data.classes))

    def _train(
        self,
        writer: RunWriter,
        data: Dataset,
        lessons: Lessons,
        on_progress: Callable[[Progress], None],
        on_drawn: Callable[[int, int], None],
    ) -> Parameters:
        from training import loop  # noqa: PLC0415  TensorFlow: 5 s and 500 MB, only when there is a run

        reported_at = time.monotonic()
        pause_lock = PauseLock(self._settings.data_dir)
        pruning = self._start_trial(writer, data)
        weights = WeightsWriter(self._registry, writer.lease, self._timings.weights_s)

        def record(progress: Progress, copy_state: Callable[[], TrainingState]) -> None:
            self._stop.check()
            writer.record(progress, copy_state)
            if not writer.is_away:
                weights.offer(copy_state)
            on_progress(progress)
            if pruning:
                self._prune_if_worse(writer, pruning, progress)
            self._pause_while_serving_lags(pause_lock, writer)

        def record_drawn(drawn: int, total: int) -> None:
            nonlocal reported_at
            self._stop.check()
            writer.alive_at = time.monotonic()
            on_drawn(drawn, total)
            if not drawn:
                writer.enter("drawing digits")
                logger.info("run %d: drawing %d synthetic digits", writer.lease.run.id, total)
            if writer.alive_at - reported_at >= self._timings.poll_s or drawn in (0, total):
                reported_at = writer.alive_at
                self._report_preparation(writer, f"drawing synthetic digits: {drawn:,} of {total:,}")

        def make_trainer(recipe: Recipe, images: int) -> "Trainer":
            writer.enter("training" if self._warm_start.has_compiled(recipe, images) else "compiling")
            return self._warm_start.trainer(recipe, images)

        try:
            resume = restored_state(self._registry, writer.lease, lessons.digest, data)
            return loop.train(
                writer.lease.run.recipe,
                data,
                record,
                resume,
                record_drawn,
                lessons=lessons,
                make_trainer=make_trainer,
                make_tensors=self._warm_start.tensors,
            )
        finally:
            weights.close()
            pause_lock.close()

    def _start_trial(self, writer: RunWriter, data: Dataset) -> Pruning | None:
        """Return when the run is pruned; None if it is no trial of a search."""
        run = writer.lease.run
        if run.search is None:
            return None
        _, validation = data.hold_out(run.recipe.validation_size)
        limits = writer.write(lambda: self._registry.searches.start_trial(writer.lease, len(validation)))
        pruning = Pruning(run.recipe, limits)
        for line in self._registry.runs.progress(run.id):  # or a kill before the check would change the outcome
            self._prune_if_worse(writer, pruning, line)
        return pruning

    def _prune_if_worse(self, writer: RunWriter, pruning: Pruning, progress: Progress) -> None:
        try:
            pruning.check(progress)
        except PrunedError as pruned:
            reason = str(pruned)
            writer.flush()
            writer.write(lambda: self._registry.searches.prune_trial(writer.lease, progress.step, reason))
            raise

    def _record_read(self, writer: RunWriter, read: int, total: int) -> None:
        """Take part in the reading of a folder of pictures, which may take minutes."""
        self._stop.check()
        writer.alive_at = time.monotonic()
        if read in (0, total) or read % REPORTED_PICTURES == 0:
            self._report_preparation(writer, f"reading pictures: {read:,} of {total:,}")

    def _report_preparation(self, writer: RunWriter, preparing: str) -> None:
        writer.write(lambda: self._registry.runs.report_preparation(writer.lease, preparing))

    def _publish(self, writer: RunWriter, data: Dataset, lessons: Lessons, parameters: Parameters) -> None:
        from training import promotion  # noqa: PLC0415  TensorFlow, as above
        from training.checkpoint_building import build_checkpoint  # noqa: PLC0415

        run = writer.lease.run
        writer.enter("measuring")
        checkpoint = build_checkpoint(parameters, run.recipe, data, lessons.on_card)
        _, validation = data.hold_out(run.recipe.validation_size)
        decide = promotion.promotion_decision(run.promote, checkpoint, validation, lessons.feedback)
        writer.flush()
        version = writer.write(lambda: self._registry.publish(writer.lease, checkpoint, decide))
        accuracy = checkpoint.card.evaluation.accuracy
        logger.info("run %d: succeeded, version %d, test accuracy %.4f", run.id, version.version, accuracy)

    def _pause_while_serving_lags(self, pause_lock: PauseLock, writer: RunWriter) -> None:
        """Wait while a server on this machine asks for a pause.

        Raises:
            LeaseLostError: the run was cancelled meanwhile.
        """
        if not pause_lock.is_held():
            return
        logger.info("run %d: paused: the server's event loop lags", writer.lease.run.id)
        started = time.monotonic()
        while pause_lock.is_held() and time.monotonic() - started < self._timings.max_pause_s:
            self._stop.check()
            # The heartbeat renews the lease; this notices that the run was cancelled or given away.
            writer.write(lambda: self._registry.runs.renew_lease(writer.lease, self._timings.lease_s))
            time.sleep(self._timings.poll_s)
        logger.info("run %d: continues after %.1f s", writer.lease.run.id, time.monotonic() - started)

    def _record_failure(self, writer: RunWriter, error_type: ErrorType, detail: str) -> None:
        try:
            writer.write(lambda: self._registry.runs.fail(writer.lease, error_type, detail))
        except (RegistryError, SQLAlchemyError) as error:
            logger.error("run %d: cannot record its failure: %s", writer.lease.run.id, error)
