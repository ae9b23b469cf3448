"""The heartbeat of a run: a thread that renews its lease."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from inkling.errors import LeaseLostError, RegistryError
from inkling.registry.records import Lease
from inkling.registry.registry import Registry

THREAD_NAME = "heartbeat"

logger = logging.getLogger(__name__)


@contextmanager
def heartbeat(
    registry: Registry, lease: Lease, lease_s: float, has_stalled: Callable[[], bool] = lambda: False
) -> Iterator[None]:
    """Renew a lease for `lease_s` seconds, three times in that period, however long a training step takes.

    Once `has_stalled` returns true, the lease is left to expire: this thread would live on in a trainer that hangs.
    """
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(lease_s / 3):
            if has_stalled():
                logger.error("run %d: the training has made no progress for too long, giving it up", lease.run.id)
                return
            try:
                registry.runs.renew_lease(lease, lease_s)
            except LeaseLostError:
                return
            except (SQLAlchemyError, RegistryError) as error:
                logger.warning("run %d: cannot renew its lease, will retry: %s", lease.run.id, error)

    thread = threading.Thread(target=beat, name=THREAD_NAME, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
