"""The trainer: claims queued runs and trains them, one at a time, in a process of its own."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from training import dataset
from training.records import Claim, LeaseLostError, Progress, Run
from training.registry import Registry
from training.settings import StoreSettings

LEASE_S = 30.0
POLL_S = 1.0
NICENESS = 10

logger = logging.getLogger(__name__)


class StopRequested(BaseException):
    """The process was asked to stop by SIGTERM."""


def work(settings: StoreSettings, idle_exit_s: float | None = None) -> None:
    """Train queued runs as they come, until SIGTERM or until none has come for `idle_exit_s`.

    A run that is being trained when the signal comes goes back to the queue.
    """
    be_a_good_neighbour()
    registry = Registry(settings.registry_url)
    idle_since = time.monotonic()
    try:
        while idle_exit_s is None or time.monotonic() - idle_since < idle_exit_s:
            if claim := _claim(registry):
                train_run(registry, claim, settings)
                idle_since = time.monotonic()
            else:
                time.sleep(POLL_S)
    except (StopRequested, KeyboardInterrupt):
        logger.info("asked to stop")
    finally:
        registry.close()


def be_a_good_neighbour() -> None:
    """Leave the processor to the servers, and turn SIGTERM into StopRequested."""
    os.nice(NICENESS)

    def stop(signum: int, frame: object) -> None:
        raise StopRequested

    signal.signal(signal.SIGTERM, stop)


def train_run(
    registry: Registry,
    claim: Claim,
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
        registry.release_run(claim)
        raise
    except LeaseLostError:
        logger.info("run %d: cancelled, or given to another trainer", run.id)
    except Exception as error:  # the boundary of a run: whatever it was, the run's reader must learn it
        error_type = _ERROR_TYPES.get(type(error).__name__, "internal")
        logger.log(
            logging.ERROR,
            "run %d: failed: %s",
            run.id,
            error,
            exc_info=error if error_type == "internal" else None,
        )
        _fail(registry, claim, error_type, str(error) or type(error).__name__)
    return registry.run(run.id)


_ERROR_TYPES = {
    "DatasetError": "dataset",
    "DivergedError": "diverged",
    "CheckpointError": "diverged",
    "ModuleNotFoundError": "tensorflow_missing",
    "MemoryError": "out_of_memory",
    "ResourceExhaustedError": "out_of_memory",
}


def _train_and_publish(
    registry: Registry, claim: Claim, settings: StoreSettings, on_progress: Callable[[Progress], None]
) -> None:
    recipe = claim.run.recipe
    data = dataset.load(settings.mnist_dir, settings.data_dir)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from training import loop, promotion  # noqa: PLC0415  TensorFlow: 5 seconds and 500 MB, only when there is a run

    def record(progress: Progress) -> None:
        registry.record_progress(claim, progress)
        on_progress(progress)

    parameters = loop.train(recipe, data, record)
    checkpoint = loop.checkpoint_of(parameters, recipe, data)
    _, validation = data.hold_out(recipe.validation_size)
    version = registry.publish(claim, checkpoint, promotion.judge(claim.run.promote, checkpoint, validation))
    accuracy = checkpoint.card.evaluation.accuracy
    logger.info("run %d: succeeded, version %d, test accuracy %.4f", claim.run.id, version.version, accuracy)


def _claim(registry: Registry) -> Claim | None:
    try:
        return registry.claim_run(LEASE_S)
    except SQLAlchemyError as error:
        logger.warning("the registry cannot be reached, trying again: %s", error)
        return None


def _fail(registry: Registry, claim: Claim, error_type: str, detail: str) -> None:
    try:
        registry.fail_run(claim, error_type, detail)
    except (LeaseLostError, SQLAlchemyError) as error:
        logger.error("run %d: its failure cannot be recorded: %s", claim.run.id, error)


@contextmanager
def _heartbeat(registry: Registry, claim: Claim) -> Iterator[None]:
    """Renew the lease while the training goes on, however long one step takes."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(LEASE_S / 3):
            try:
                registry.renew_lease(claim, LEASE_S)
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
