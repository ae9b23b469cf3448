"""The heartbeat of a run: a thread that renews its lease."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from inkling.errors import LeaseLostError, RegistryError
from inkling.registry.database_errors import describe_database_error
from inkling.registry.records import Lease
from inkling.registry.registry import Registry

THREAD_NAME = "heartbeat"
RETRY_S = 1.0

logger = logging.getLogger(__name__)


@contextmanager
def heartbeat(
    registry: Registry,
    lease: Lease,
    lease_s: float,
    has_stalled: Callable[[], bool] = lambda: False,
    note: Callable[[bool], None] = lambda is_answered: None,
) -> Iterator[None]:
    """Renew a lease for `lease_s` seconds, three times in that period, however long a training step takes.

    While the registry is away, try each second: the lease must be renewed before others take the run for abandoned.

    Args:
        registry: that holds the lease.
        lease: to renew.
        lease_s: its duration.
        has_stalled: once it returns true, the lease is left to expire: this thread would live on in a trainer that
            hangs.
        note: called at each renewal, with whether the registry answered.
    """
    ended = threading.Event()

    def beat() -> None:
        is_away = False
        while not ended.wait(min(RETRY_S, lease_s / 3) if is_away else lease_s / 3):
            if has_stalled():
                logger.error("run %d: the training has made no progress for too long, giving it up", lease.run.id)
                return
            try:
                registry.runs.renew_lease(lease, lease_s)
                is_away = False
                note(True)  # noqa: FBT003  the callback's one argument
            except LeaseLostError:
                note(True)  # noqa: FBT003
                return
            except (SQLAlchemyError, RegistryError) as error:
                note(False)  # noqa: FBT003
                if not is_away:
                    words = describe_database_error(error) if isinstance(error, SQLAlchemyError) else str(error)
                    logger.warning("run %d: cannot renew its lease, will retry: %s", lease.run.id, words)
                is_away = True

    thread = threading.Thread(target=beat, name=THREAD_NAME, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
