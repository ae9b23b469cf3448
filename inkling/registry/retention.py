"""The retention of a registry: which versions, progress and corrections it keeps; the rest is pruned.

Everything is deleted in small transactions with pauses between them, so servers and trainers that use the registry
never wait long. Each transaction decides again what may go, and leaves a consistent registry: a kill loses nothing.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, delete, func, select

from inkling.registry.corrections import forget_old
from inkling.registry.database import Database
from inkling.registry.rows import now
from inkling.registry.tables import corrections, promotions, run_progress, run_snapshots, run_weights, runs, versions
from inkling.registry.versions import drop_version, read_served

VERSIONS_AT_ONCE = 5
"""Versions that one transaction deletes: 3 MB of files."""
ROWS_AT_ONCE = 2000
"""Small rows that one transaction deletes."""
RUNS_AT_ONCE = 1000
"""Runs whose lines of progress are counted in one transaction."""
PROGRESS_LINES = 200
"""Lines of progress that are kept of an old run: as many as the page's chart can show."""


@dataclass(frozen=True)
class Retention:
    """What is kept. The served version is kept in any case, and the bases of runs that have not ended."""

    promoted_versions: int
    """The versions that were promoted last, to return to."""
    newest_versions: int
    progress_days: float
    """Of runs that ended longer ago, PROGRESS_LINES lines of progress are kept."""
    feedback_days: float | None
    """Older corrections are deleted; None: they are kept."""


def prune(database: Database, retention: Retention, *, is_dry_run: bool = False) -> Iterator[str]:
    """Delete what is not kept, and yield it, one sentence each.

    Of a version its file is deleted: its row, its run and its promotions stay, and say that it was pruned.

    Args:
        database: of the registry.
        retention: what is kept.
        is_dry_run: delete nothing, and yield what would be deleted.
    """
    yield from _prune_versions(database, retention, is_dry_run=is_dry_run)
    yield from _thin_progress(database, retention, is_dry_run=is_dry_run)
    yield from _delete_left(database, run_snapshots, "snapshot", is_dry_run=is_dry_run)
    yield from _delete_left(database, run_weights, "shown weights", is_dry_run=is_dry_run)
    yield from _delete_corrections(database, retention, is_dry_run=is_dry_run)


@contextmanager
def _short_write(database: Database) -> Iterator[Connection]:
    """Open a write transaction, and leave the lock to others afterwards, for as long as it was held."""
    started = time.monotonic()
    with database.write() as connection:
        yield connection
    time.sleep(time.monotonic() - started)


def _prune_versions(database: Database, retention: Retention, *, is_dry_run: bool) -> Iterator[str]:
    if is_dry_run:
        with database.read() as connection:
            yield from map(_version_in_words, _versions_to_prune(connection, retention))
        return
    while True:
        with _short_write(database) as connection:
            pruned = _versions_to_prune(connection, retention, VERSIONS_AT_ONCE)
            for row in pruned:
                drop_version(connection, row.version, "prune")
        if not pruned:
            return
        yield from map(_version_in_words, pruned)
        database.shrink_if_large()


def _version_in_words(row: Row[Any]) -> str:
    origin = f"of run {row.run_id}" if row.run_id else f"origin {row.origin}"
    return f"version {row.version}: {row.size_bytes} bytes, {origin}, {row.created_at:%Y-%m-%d}"


def _versions_to_prune(connection: Connection, retention: Retention, limit: int | None = None) -> Sequence[Row[Any]]:
    """Return the oldest versions that are there and not kept."""
    is_present = versions.c.deleted_at.is_(None)
    newest = select(versions.c.version).where(is_present).order_by(versions.c.version.desc())
    promoted = (
        select(promotions.c.version)
        .join(versions)
        .where(promotions.c.is_promoted, is_present)
        .group_by(promotions.c.version)
        .order_by(func.max(promotions.c.id).desc())
    )
    waiting = select(runs.c.recipe).where(runs.c.state.in_(("queued", "running")))
    served = read_served(connection)
    kept = {
        *connection.scalars(newest.limit(retention.newest_versions)),
        *connection.scalars(promoted.limit(retention.promoted_versions)),
        *(recipe.get("base") or 0 for recipe in connection.scalars(waiting)),
        *([served.version] if served else []),
    }
    query = select(versions).where(is_present, versions.c.version.not_in(kept)).order_by(versions.c.version)
    return connection.execute(query.limit(limit)).all()


def _thin_progress(database: Database, retention: Retention, *, is_dry_run: bool) -> Iterator[str]:
    ended_before = now() - timedelta(days=retention.progress_days)
    old = select(runs.c.id).where(runs.c.finished_at < ended_before).order_by(runs.c.id).limit(RUNS_AT_ONCE)
    last = 0
    while True:
        with database.read() as connection:
            ids = connection.scalars(old.where(runs.c.id > last)).all()
            if not ids:
                return
            counts = (
                select(run_progress.c.run_id, func.count())
                .where(run_progress.c.run_id.between(ids[0], ids[-1]))
                .group_by(run_progress.c.run_id)
                .having(func.count() > PROGRESS_LINES)
            )
            long = [(run_id, lines) for run_id, lines in connection.execute(counts) if run_id in set(ids)]
        for run_id, lines in long:
            if not is_dry_run:
                _thin_run(database, run_id)
            yield f"run {run_id}: {lines - PROGRESS_LINES} of {lines} lines of progress"
        last = ids[-1]


def _thin_run(database: Database, run_id: int) -> None:
    """Keep PROGRESS_LINES lines of a run: its first, its last, and others as evenly as possible."""
    of_run = run_progress.c.run_id == run_id
    with database.read() as connection:
        steps = connection.scalars(select(run_progress.c.step).where(of_run).order_by(run_progress.c.step)).all()
    last = len(steps) - 1
    kept = {steps[round(number * last / (PROGRESS_LINES - 1))] for number in range(PROGRESS_LINES)}
    for start in range(0, len(steps), ROWS_AT_ONCE):
        part = steps[start : start + ROWS_AT_ONCE]
        between = run_progress.c.step.between(part[0], part[-1])
        with _short_write(database) as connection:
            connection.execute(delete(run_progress).where(of_run, between, run_progress.c.step.not_in(kept)))


def _delete_left(database: Database, table: Table, what: str, *, is_dry_run: bool) -> Iterator[str]:
    """Delete the rows of a table that runs have left which ended; the end of a run deletes its own."""
    ended = select(table.c.run_id).join(runs).where(runs.c.state.not_in(("queued", "running")))
    with database.read() as connection:
        ids = connection.scalars(ended.order_by(table.c.run_id)).all()
    for run_id in ids:
        if not is_dry_run:
            with _short_write(database) as connection:
                connection.execute(delete(table).where(table.c.run_id == run_id))
        yield f"run {run_id}: the {what} of a run that has ended"


def _delete_corrections(database: Database, retention: Retention, *, is_dry_run: bool) -> Iterator[str]:
    if not is_dry_run:
        with _short_write(database) as connection:
            forget_old(connection)
    if retention.feedback_days is None:
        return
    is_old = corrections.c.created_at < now() - timedelta(days=retention.feedback_days)
    count = _count(database, is_old) if is_dry_run else _delete_old(database, is_old)
    if count:
        yield f"{count} corrections older than {retention.feedback_days:g} days"


def _count(database: Database, condition: ColumnElement[bool]) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.count()).select_from(corrections).where(condition)) or 0


def _delete_old(database: Database, is_old: ColumnElement[bool]) -> int:
    count = 0
    while True:
        with _short_write(database) as connection:
            ids = connection.scalars(select(corrections.c.id).where(is_old).limit(ROWS_AT_ONCE)).all()
            connection.execute(delete(corrections).where(corrections.c.id.in_(ids)))
        if not ids:
            return count
        count += len(ids)
