"""Counts and sizes of a registry for its operator: runs by state, durations, versions, snapshots, bytes."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, get_args

from sqlalchemy import func, select

from inkling.registry.database import Database
from inkling.registry.records import RunState
from inkling.registry.rows import time_of
from inkling.registry.tables import run_snapshots, runs, versions

ENDED_AT_ONCE = 1000
"""Runs that are read in one transaction."""


@dataclass(frozen=True)
class RegistryStatistics:
    """The state of a registry at one moment."""

    runs: dict[RunState, int]
    """Runs by state, with zeros."""
    oldest_queued_at: datetime | None
    """When the oldest queued run was queued; None if none is."""
    has_live_lease: bool
    """Whether a trainer holds a lease that has not expired."""
    snapshots: int
    versions: int
    """Versions that were not deleted."""
    versions_bytes: int
    """Of their checkpoint files."""
    size_bytes: int
    """Of the database on its disk."""


class EndedRun(NamedTuple):
    id: int
    state: RunState
    duration_s: float | None
    """From start to end; None if it never started."""
    finished_at: datetime


class Statistics:
    """The statistics of a registry. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self) -> RegistryStatistics:
        states: tuple[RunState, ...] = get_args(RunState)
        is_live = (runs.c.state == "running") & (runs.c.lease_expires_at > time_of(self._database.dialect))
        is_present = versions.c.deleted_at.is_(None)
        figures = (
            *(select(func.count()).where(runs.c.state == state) for state in states),
            select(func.min(runs.c.requested_at)).where(runs.c.state == "queued"),
            select(func.count()).where(is_live),
            select(func.count()).select_from(run_snapshots),
            select(func.count()).where(is_present),
            select(func.coalesce(func.sum(versions.c.size_bytes), 0)).where(is_present),
        )
        (row,) = self._database.look(select(*(figure.scalar_subquery() for figure in figures)))
        counts, (oldest, live, snapshots, count, held_bytes) = row[: len(states)], row[len(states) :]
        return RegistryStatistics(
            runs=dict(zip(states, counts, strict=True)),
            oldest_queued_at=oldest,
            has_live_lease=live > 0,
            snapshots=snapshots,
            versions=count,
            versions_bytes=int(held_bytes),
            size_bytes=self._database.size_bytes(),
        )

    def ended_after(self, run_id: int) -> tuple[list[EndedRun], int | None]:
        """Return runs with larger ids that have ended, by id, and the id of the first one that has not.

        At most ENDED_AT_ONCE runs are looked at.
        """
        columns = (runs.c.id, runs.c.state, runs.c.started_at, runs.c.finished_at)
        query = select(*columns).where(runs.c.id > run_id).order_by(runs.c.id).limit(ENDED_AT_ONCE)
        ended: list[EndedRun] = []
        first_open = None
        for row in self._database.look(query):
            if row.finished_at is None:
                first_open = first_open or row.id
                continue
            duration_s = (row.finished_at - row.started_at).total_seconds() if row.started_at else None
            ended.append(EndedRun(row.id, row.state, duration_s, row.finished_at))
        return ended, first_open
