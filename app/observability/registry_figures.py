"""The registry's own metrics: read every few seconds, so that no scrape waits for a database."""

import asyncio
import logging
import shutil
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from sqlalchemy.exc import SQLAlchemyError

from app.observability import families
from app.observability.metrics import Metrics
from inkling.errors import RegistryError
from inkling.registry.records import RunState
from inkling.registry.registry import Registry
from inkling.registry.statistics import ENDED_AT_ONCE, RegistryStatistics

REFRESH_S: Final = 5.0

logger = logging.getLogger(__name__)


class RegistryFigures:
    """Owns what this process last read. `read` and `watch` are of one thread at a time.

    Args:
        registry: that is read.
        metrics: where durations, connections and errors are counted.
        data_dir: whose disk is looked at.
        is_trainer_alive: asked whether a trainer of this machine is alive.
    """

    def __init__(
        self, registry: Registry, metrics: Metrics, data_dir: Path, is_trainer_alive: Callable[[], bool]
    ) -> None:
        self._registry = registry
        self._metrics = metrics
        self._data_dir = data_dir
        self._is_trainer_alive = is_trainer_alive
        self._statistics: RegistryStatistics | None = None
        self._is_trained = False
        self._read_at = 0.0
        self._counted_to = 0
        """The largest id up to which all runs have ended and are counted."""
        self._counted: set[int] = set()
        """Larger ids of runs that are counted, too."""
        self._durations: dict[RunState, list[float]] = {}
        """Per state: runs in each bucket and beyond the last, and the sum of seconds."""
        self._last: dict[RunState, datetime] = {}
        """When the last run ended in each state."""
        registry.watch_errors(metrics.count_database_error)
        metrics.report(families.POOL, lambda: registry.connections()[0], "in_use")
        metrics.report(families.POOL, lambda: registry.connections()[1], "idle")

    async def watch(self) -> None:
        """Read the registry every few seconds, until cancelled."""
        own_thread = CapacityLimiter(1)
        while True:
            try:
                await run_sync(self.read, limiter=own_thread, abandon_on_cancel=True)
            except (SQLAlchemyError, RegistryError) as error:  # the poll loop reports it
                logger.debug("no figures of the registry: %s", error)
            await asyncio.sleep(REFRESH_S)

    def read(self) -> None:
        """Read the registry. Blocks: not for the event loop.

        Raises:
            SQLAlchemyError, RegistryError: the database does not answer.
        """
        statistics = self._registry.statistics.read()
        self._count_ended_runs()
        self._is_trained = statistics.has_live_lease or self._is_trainer_alive()
        self._statistics, self._read_at = statistics, time.time()

    def _count_ended_runs(self) -> None:
        looked_at = ENDED_AT_ONCE
        while looked_at >= ENDED_AT_ONCE:
            ended, first_open = self._registry.statistics.ended_after(self._counted_to)
            for run in ended:
                if run.id not in self._counted:
                    self._counted.add(run.id)
                    self._last[run.state] = max(run.finished_at, self._last.get(run.state, run.finished_at))
                    self._add(run.state, run.duration_s)
            if ended and first_open is None:
                self._counted_to = ended[-1].id
            elif first_open is not None:
                self._counted_to = first_open - 1
            self._counted = {run_id for run_id in self._counted if run_id > self._counted_to}
            looked_at = len(ended) if first_open is None else 0
        for state, (*buckets, total_s) in self._durations.items():
            self._metrics.set_durations(state, [int(count) for count in buckets], total_s)

    def _add(self, state: RunState, duration_s: float | None) -> None:
        if duration_s is None:  # it was cancelled while it was queued
            return
        values = self._durations.setdefault(state, [0.0] * families.RUN_DURATION.width)
        values[bisect_left(families.DURATION_BUCKETS_S, duration_s)] += 1
        values[-1] += max(0.0, duration_s)  # the clock may have been set back

    def families(self) -> Iterator[Metric]:
        """Yield the gauges, as of the last look; none before the first."""
        statistics = self._statistics
        if statistics is None:
            return
        by_state = GaugeMetricFamily("inkling_runs", "training runs in the registry, by state", labels=("state",))
        for state, count in statistics.runs.items():
            by_state.add_metric((state,), count)
        yield by_state
        ended = GaugeMetricFamily(
            "inkling_run_last_end_timestamp_seconds",
            "when a training run last ended in a state, in Unix time",
            labels=("state",),
        )
        for state, moment in list(self._last.items()):
            ended.add_metric((state,), moment.timestamp())
        yield ended
        oldest = statistics.oldest_queued_at
        for name, text, value in (
            ("inkling_run_queue_length", "training runs that wait for a trainer", statistics.runs["queued"]),
            (
                "inkling_run_queue_oldest_age_seconds",
                "how long the oldest queued training run has waited; 0 if none waits",
                max(0.0, time.time() - oldest.timestamp()) if oldest else 0,
            ),
            (
                "inkling_trainer_alive",
                "1 while a trainer of this machine is alive, or one elsewhere holds a run's lease",
                self._is_trained,
            ),
            ("inkling_run_snapshots", "unfinished training runs of which a snapshot is kept", statistics.snapshots),
            ("inkling_versions", "versions in the registry", statistics.versions),
            ("inkling_versions_bytes", "bytes of their checkpoint files", statistics.versions_bytes),
            ("inkling_registry_bytes", "bytes of the registry's database on its disk", statistics.size_bytes),
            (
                "inkling_registry_last_read_timestamp_seconds",
                "when this process last read the registry for these figures, in Unix time",
                self._read_at,
            ),
            (
                "inkling_data_dir_free_bytes",
                "free bytes on the disk of the data directory",
                shutil.disk_usage(self._data_dir).free,
            ),
        ):
            yield GaugeMetricFamily(name, text, value=float(value))
