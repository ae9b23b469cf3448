"""Counts and sizes of a registry for its operator: runs by state, durations, versions, snapshots, bytes."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, get_args

from sqlalchemy import func, select

from inkling.registry.database import Database
from inkling.registry.records import RunState
from inkling.registry.rows import database_time
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
        with self._database.read() as connection:
            counts = connection.execute(select(runs.c.state, func.count()).group_by(runs.c.state)).all()
            by_state: dict[RunState, int] = dict.fromkeys(get_args(RunState), 0)
            by_state.update((state, count) for state, count in counts)
            queued = select(func.min(runs.c.requested_at)).where(runs.c.state == "queued")
            live = select(runs.c.id).where(
                runs.c.state == "running", runs.c.lease_expires_at > database_time(connection)
            )
            kept = select(func.count(), func.coalesce(func.sum(versions.c.size_bytes), 0))
            count, held_bytes = connection.execute(kept.where(versions.c.deleted_at.is_(None))).one()
            return RegistryStatistics(
                runs=by_state,
                oldest_queued_at=connection.scalar(queued),
                has_live_lease=connection.execute(live.limit(1)).first() is not None,
                snapshots=connection.scalar(select(func.count()).select_from(run_snapshots)) or 0,
                versions=count,
                versions_bytes=int(held_bytes),
                size_bytes=self._database.size_bytes(connection),
            )

    def ended_after(self, run_id: int) -> tuple[list[EndedRun], int | None]:
        """Return runs with larger ids that have ended, by id, and the id of the first one that has not.

        At most ENDED_AT_ONCE runs are looked at.
        """
        with self._database.read() as connection:
            columns = (runs.c.id, runs.c.state, runs.c.started_at, runs.c.finished_at)
            query = select(*columns).where(runs.c.id > run_id).order_by(runs.c.id).limit(ENDED_AT_ONCE)
            ended: list[EndedRun] = []
            first_open = None
            for row in connection.execute(query):
                if row.finished_at is None:
                    first_open = first_open or row.id
                    continue
                duration_s = (row.finished_at - row.started_at).total_seconds() if row.started_at else None
                ended.append(EndedRun(row.id, row.state, duration_s, row.finished_at))
            return ended, first_open
