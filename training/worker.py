"""The trainer: claims queued runs and trains them, one at a time, in a process of its own."""

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from inkling import mnist
from inkling.errors import CheckpointError, LeaseLostError
from inkling.locks.pause_lock import PauseLock
from inkling.locks.trainer_lock import TrainerLock
from inkling.registry.records import Lease, Progress, Run
from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from training.snapshot import TrainingState

T = TypeVar("T")

LEASE_S = 30.0
POLL_S = 1.0
RETRY_S = 15.0
"""Less than the lease: a trainer that waits for its database still owns its run."""
SNAPSHOT_S = 3.0
"""Seconds of training that a killed trainer loses at most, give or take a display step."""
MAX_PAUSE_S = 60.0
"""The longest that a run stands still at a time: however slow the predictions, it goes on by a call."""
NICENESS = 19

logger = logging.getLogger(__name__)


class StopRequested(BaseException):
    """The process was asked to stop by SIGTERM."""


_is_asked_to_stop = False
"""Set by SIGTERM, and looked at where stopping is safe: an exception that the signal's handler raised could land inside
a database call, and be lost there or leave a lock behind."""


def _stop_if_asked() -> None:
    if _is_asked_to_stop:
        raise StopRequested


def work(settings: StoreSettings, idle_exit_s: float | None = None) -> None:
    """Train queued runs as they come, until SIGTERM or until none has come for `idle_exit_s`.

    A run that is being trained when the signal comes goes back to the queue.
    """
    lower_priority()
    registry = Registry(settings.registry_url)
    idle_since = time.monotonic()
    try:
        owner = f"{socket.gethostname()[:16]}.{os.getpid()}"
        if idle_exit_s is not None:  # started by a server, and so by each of several
            identity = TrainerLock(settings.data_dir).acquire(timeout_s=2)
            if identity is None:
                return
            owner = identity
        while idle_exit_s is None or time.monotonic() - idle_since < idle_exit_s:
            _stop_if_asked()
            if _train_next(registry, owner, settings):
                idle_since = time.monotonic()
            else:
                time.sleep(POLL_S)
    except (StopRequested, KeyboardInterrupt):
        logger.info("asked to stop")
    finally:
        registry.close()


def lower_priority() -> None:
    """Leave the processors to the servers, and have SIGTERM end the work at its next safe place, by StopRequested."""
    global _is_asked_to_stop  # noqa: PLW0603  of the process, as the signal is
    _yield_cpus()
    _is_asked_to_stop = False

    def stop(signum: int, frame: object) -> None:
        global _is_asked_to_stop  # noqa: PLW0603
        _is_asked_to_stop = True

    signal.signal(signal.SIGTERM, stop)


def _yield_cpus() -> None:
    """Take the processors only when nobody else wants them, by all the means that the system has and allows."""
    os.nice(NICENESS)
    if hasattr(os, "SCHED_IDLE"):
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    if os.getsid(0) == os.getpid():  # started by setsid: the session of no terminal, and of nobody else
        # Linux shares the processors among sessions first (sched(7), autogroup): neither of those above counts beside
        # a server in another session. This does, though less well than a server's own session: docs/performance.md.
        with suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(NICENESS), "ascii")


def train_run(
    registry: Registry,
    claim: Lease,
    settings: StoreSettings,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Run:
    """Train a claimed run to its end and return it as it ended; what goes wrong is recorded, not raised.

    Raises:
        StopRequested, KeyboardInterrupt: the process was asked to stop; the run is in the queue again.
    """
    run = claim.run
    logger.info("run %d: training, attempt %d", run.id, run.attempt)
    try:
        with _heartbeat(registry, claim):
            _train_and_publish(registry, claim, settings, on_progress)
    except (StopRequested, KeyboardInterrupt):
        registry.runs.release(claim)
        raise
    except LeaseLostError:
        logger.info("run %d: cancelled, or given to another trainer", run.id)
    except Exception as error:  # the boundary of a run: whatever it was, the run's reader must learn it
        error_type, detail = describe_failure(error)
        logger.error("run %d: failed: %s", run.id, detail, exc_info=error if error_type == "internal" else None)
        _fail(registry, claim, error_type, detail)
    return registry.runs.get(run.id)


_ERROR_TYPES = {
    "DatasetError": "dataset",
    "DivergedError": "diverged",
    "CheckpointError": "diverged",
    "ModuleNotFoundError": "tensorflow_missing",
    "MemoryError": "out_of_memory",
    "ResourceExhaustedError": "out_of_memory",
}
"""By name, because most of these classes come with TensorFlow."""
_DISK_FULL = ("disk is full", "No space left on device", "File too large", "disk I/O error", "could not extend file")


def describe_failure(error: Exception) -> tuple[str, str]:
    """Return why a run failed: in a word, and in words."""
    detail = str(error.orig if isinstance(error, DBAPIError) else error) or type(error).__name__
    if any(words in detail for words in _DISK_FULL):
        return "disk_full", f"the registry's disk, or the data directory's, takes no more: {detail}"
    if isinstance(error, SQLAlchemyError):
        return "database_lost", f"the registry did not answer for {RETRY_S:.0f} s: {detail}"
    return _ERROR_TYPES.get(type(error).__name__, "internal"), detail


def _train_and_publish(
    registry: Registry, claim: Lease, settings: StoreSettings, on_progress: Callable[[Progress], None]
) -> None:
    recipe = claim.run.recipe
    data = mnist.load(settings.mnist_dir, settings.data_dir)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if settings.trainer_threads:
        os.environ["TF_NUM_INTRAOP_THREADS"] = str(settings.trainer_threads)
    from training import loop, promotion  # noqa: PLC0415  TensorFlow: 5 seconds and 500 MB, only when there is a run

    saved_at = time.monotonic()
    pause_lock = PauseLock(settings.data_dir)

    def record(progress: Progress, copy_state: Callable[[], TrainingState]) -> None:
        nonlocal saved_at
        _stop_if_asked()
        _persist(lambda: registry.runs.record_progress(claim, progress))
        on_progress(progress)
        if time.monotonic() - saved_at >= SNAPSHOT_S:
            _persist(lambda: registry.runs.save_snapshot(claim, copy_state().to_snapshot()))
            saved_at = time.monotonic()
        _pause_while_serving_lags(pause_lock, registry, claim)

    try:
        parameters = loop.train(recipe, data, record, _resume(registry, claim))
    finally:
        pause_lock.close()
    checkpoint = loop.checkpoint_of(parameters, recipe, data)
    _, validation = data.hold_out(recipe.validation_size)
    decide = promotion.promotion_decision(claim.run.promote, checkpoint, validation)
    version = _persist(lambda: registry.publish(claim, checkpoint, decide))
    accuracy = checkpoint.card.evaluation.accuracy
    logger.info("run %d: succeeded, version %d, test accuracy %.4f", claim.run.id, version.version, accuracy)


def _pause_while_serving_lags(pause_lock: PauseLock, registry: Registry, claim: Lease) -> None:
    """Stand still while a server's predictions wait for the processor.

    Raises:
        LeaseLostError: the run was cancelled meanwhile.
    """
    if not pause_lock.is_held():
        return
    logger.info("run %d: stands still, predictions come first", claim.run.id)
    started = time.monotonic()
    while pause_lock.is_held() and time.monotonic() - started < MAX_PAUSE_S:
        _stop_if_asked()
        _persist(lambda: registry.runs.renew_lease(claim, LEASE_S))
        time.sleep(POLL_S)
    logger.info("run %d: goes on after %.1f s", claim.run.id, time.monotonic() - started)


def _resume(registry: Registry, claim: Lease) -> TrainingState | None:
    """Return the state that the run goes on from; none to begin anew."""
    snapshot = registry.runs.snapshot(claim.run.id)
    if snapshot is None:
        return None
    try:
        state = TrainingState.from_snapshot(snapshot)
    except CheckpointError as error:
        logger.warning("run %d: its snapshot cannot be used, training anew: %s", claim.run.id, error)
        registry.runs.discard_snapshot(claim)
        return None
    logger.info("run %d: going on from step %d", claim.run.id, state.step)
    return state


def _train_next(registry: Registry, owner: str, settings: StoreSettings) -> bool:
    """Train the next run, if there is one; return whether there was."""
    try:
        claim = registry.runs.claim(LEASE_S, owner)
        if claim is None:
            return False
        train_run(registry, claim, settings)
    except SQLAlchemyError as error:
        logger.warning("the registry cannot be reached, trying again: %s", error)
        return False
    return True


def _persist(write: Callable[[], T]) -> T:
    """Write, and try again for a while when the database does not take it: a restart of it costs no run."""
    deadline = time.monotonic() + RETRY_S
    while True:
        try:
            return write()
        except SQLAlchemyError as error:
            _stop_if_asked()
            if time.monotonic() > deadline:
                raise
            logger.warning("the registry does not take a write, trying again: %s", error)
            time.sleep(POLL_S)


def _fail(registry: Registry, claim: Lease, error_type: str, detail: str) -> None:
    try:
        _persist(lambda: registry.runs.fail(claim, error_type, detail))
    except (LeaseLostError, SQLAlchemyError) as error:
        logger.error("run %d: its failure cannot be recorded: %s", claim.run.id, error)


@contextmanager
def _heartbeat(registry: Registry, claim: Lease) -> Iterator[None]:
    """Renew the lease while the training goes on, however long one step takes."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(LEASE_S / 3):
            try:
                registry.runs.renew_lease(claim, LEASE_S)
            except LeaseLostError:
                return
            except SQLAlchemyError as error:
                logger.warning("run %d: its lease cannot be renewed: %s", claim.run.id, error)

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
