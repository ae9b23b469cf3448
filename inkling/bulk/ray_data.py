"""The same units on the machines of a Ray cluster, by Ray Data; their rows come back to the process of the job.

The job is the same otherwise: one writer, one output in order, resumable by either. Needs the extra `ray`.
"""

import logging
import os
import pickle
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple
from typing import Any

import ray
from ray.data import ActorPoolStrategy, DataContext
from ray.exceptions import RayError

from inkling.bulk.batches import UNIT_BYTES, Loaded, Unit
from inkling.bulk.workers import Done, Finished, Reader, Task
from inkling.bulk.workers import in_order as in_order_here
from inkling.errors import BulkError

WINDOW_BYTES = 256 << 20
"""Of the units that Ray Data is given at a time, so that memory does not grow with the input."""
NAMES_BYTES = 64 << 10
"""Of a unit that names its files and rows."""

logger = logging.getLogger(__name__)


def in_order(units: Iterable[Unit], task: Task, processes: int | None = None) -> Finished:
    """Do units on the cluster that RAY_ADDRESS names, or a new one on this machine; yield them in their order.

    A unit on which the processes of Ray keep dying is done here, as the rest of its window: one image is then lost.

    Args:
        units: whose files all machines can read.
        task: what is done with them.
        processes: at most, of the cluster; None: one per CPU core of it.

    Raises:
        BulkError: the cluster cannot be reached or started.
    """
    _connect()
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    most = processes or max(1, int(ray.cluster_resources()["CPU"]))
    for window in _windows(units):
        finished = 0
        try:
            for done in _rows(window, task, most):
                yield window[finished], done
                finished += 1
        except RayError as error:
            logger.warning("Ray failed, the next %d units are read here: %s", len(window) - finished, error)
            yield from in_order_here(window[finished:], task)


def _connect() -> None:
    address = os.environ.get("RAY_ADDRESS")
    where: dict[str, Any] = {} if address else {"address": "local", "include_dashboard": False}
    try:
        ray.init(**where, ignore_reinit_error=True, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # Ray has no class of its own for it
        at = f"at {address} (RAY_ADDRESS) cannot be reached" if address else "on this machine did not start"
        raise BulkError(f"the Ray cluster {at}: {error}; the same command without --engine ray needs none") from error


class _RayReader:
    """Does units, each a row of a block, in a process of Ray."""

    def __init__(self, task: Task) -> None:
        self._reader = Reader(task)

    def __call__(self, block: Mapping[str, Any]) -> dict[str, list[bytes]]:
        done = [self._reader.do(pickle.loads(unit)) for unit in block["unit"]]  # noqa: S301  of this job
        return {"done": [pickle.dumps(astuple(one)) for one in done]}


def _rows(window: list[Unit], task: Task, most: int) -> Iterator[Done]:
    packed = [{"unit": pickle.dumps(unit)} for unit in window]
    dataset = ray.data.from_items(packed, override_num_blocks=len(packed)).map_batches(
        _RayReader,
        fn_constructor_args=(task,),
        batch_size=1,
        batch_format="numpy",
        compute=ActorPoolStrategy(min_size=1, max_size=min(most, len(packed))),
        num_cpus=1,
    )
    for row in dataset.iter_rows():
        yield Done(*pickle.loads(row["done"]))  # noqa: S301  of this job


def _windows(units: Iterable[Unit]) -> Iterator[list[Unit]]:
    window: list[Unit] = []
    held = 0
    for unit in units:
        window.append(unit)
        held += UNIT_BYTES if isinstance(unit, Loaded) else NAMES_BYTES
        if held >= WINDOW_BYTES:
            yield window
            window, held = [], 0
    if window:
        yield window
