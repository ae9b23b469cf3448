"""The first layer's weights of a run in training, written for whoever watches, beside the steps."""

import logging
import threading
import time
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from inkling.errors import RegistryError
from inkling.network.first_layer import FirstLayer
from inkling.registry.records import Lease
from inkling.registry.registry import Registry
from training.snapshot import TrainingState

THREAD_NAME = "weights"

logger = logging.getLogger(__name__)


class WeightsWriter:
    """Writes the newest weights in a thread of its own. They are never queued: what cannot be written now is dropped.

    Args:
        registry: that holds the run.
        lease: of the run.
        spacing_s: the shortest time from one write to the next.
    """

    def __init__(self, registry: Registry, lease: Lease, spacing_s: float) -> None:
        self._registry = registry
        self._lease = lease
        self._spacing_s = spacing_s
        self._thread: threading.Thread | None = None
        self._rests_until = 0.0

    def offer(self, copy_state: Callable[[], TrainingState]) -> None:
        """Write the weights of a state, unless the last ones are still being written or it is too soon."""
        if time.monotonic() < self._rests_until or (self._thread and self._thread.is_alive()):
            return
        self._thread = threading.Thread(target=self._write, args=(copy_state(),), name=THREAD_NAME, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Wait until nothing is being written any more."""
        if self._thread:
            self._thread.join()

    def _write(self, state: TrainingState) -> None:
        try:
            layer = FirstLayer.from_tensors(state.step, {**state.parameters, **state.slots})
            self._registry.runs.show_first_layer(self._lease, layer)
        except (
            SQLAlchemyError,
            RegistryError,
        ) as error:  # the registry is away, or the lease lost: `RunWriter` says so
            logger.debug("run %d: the weights of step %d are dropped: %s", self._lease.run.id, state.step, error)
        self._rests_until = time.monotonic() + self._spacing_s
