"""The invariants of a registry, which must hold after any sequence of kills."""

import hashlib
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select, text

from inkling.digit import NUM_CLASSES, NUM_PIXELS
from inkling.errors import CheckpointError
from inkling.network import checkpoint
from inkling.registry.search_rows import is_unfinished
from inkling.registry.tables import (
    checkpoints,
    corrections,
    promotions,
    run_progress,
    run_snapshots,
    run_weights,
    runs,
    searches,
    trials,
    versions,
)
from inkling.registry.versions import read_served

ROWS_AT_ONCE = 1000
"""Rows that are read into memory at a time."""
FILES_AT_ONCE = 5
"""Checkpoint files that are read into memory at a time, of up to 4 MB each."""
STATES = ("queued", "running", "succeeded", "failed", "cancelled")


def problems_of(connection: Connection) -> list[str]:
    """Return the violated invariants of the registry, one sentence each.

    Memory is that of some checkpoint files and rows, whatever the number of versions, runs and lines of progress.
    """
    return [
        *_database_problems(connection),
        *_run_problems(connection),
        *_progress_problems(connection),
        *_search_problems(connection),
        *_version_problems(connection),
        *_promotion_problems(connection),
        *_correction_problems(connection),
    ]


def _database_problems(connection: Connection) -> Iterator[str]:
    if connection.dialect.name == "sqlite":
        for check in ("integrity_check", "foreign_key_check"):
            for row in connection.execute(text(f"PRAGMA {check}")):
                if tuple(row) != ("ok",):
                    yield f"SQLite's {check}: {tuple(row)}"


def _rows(connection: Connection, query: Select[Any], at_once: int = ROWS_AT_ONCE) -> Iterator[Row[Any]]:
    """Yield the rows of a query, a few in memory at a time."""
    yield from connection.execute(query, execution_options={"yield_per": at_once})


def _run_problems(connection: Connection) -> Iterator[str]:
    columns = [column for column in runs.c if column.name not in ("recipe", "decision", "error", "trouble")]
    for run in _rows(connection, select(*columns).order_by(runs.c.id)):
        yield from _problems_of_run(run)


def _problems_of_run(run: Row[Any]) -> Iterator[str]:
    name = f"run {run.id} ({run.state})"
    if run.state not in STATES:
        yield f"{name} is in an unknown state"
    if (run.state == "running") != (run.lease_token is not None):
        yield f"{name} has {'no' if run.lease_token is None else 'a'} lease"
    if (run.state == "succeeded") != (run.version is not None):
        yield f"{name} has {'no version' if run.version is None else f'version {run.version}'}"
    if (run.state == "failed") != (run.error_type is not None):
        yield f"{name} has {'no error' if run.error_type is None else f'the error {run.error_type}'}"
    if (run.state in ("succeeded", "failed", "cancelled")) != (run.finished_at is not None):
        yield f"{name} has {'no end time' if run.finished_at is None else f'the end time {run.finished_at}'}"
    if not 0 <= run.step <= run.total_steps:
        yield f"{name} is at step {run.step} of {run.total_steps}"


def _progress_problems(connection: Connection) -> Iterator[str]:
    beyond = select(run_progress.c.run_id, run_progress.c.step).join(runs).where(run_progress.c.step > runs.c.step)
    for row in _rows(connection, beyond):
        yield f"run {row.run_id} has progress at step {row.step}, which it has not reached"
    for table, what in ((run_snapshots, "a snapshot"), (run_weights, "weights that are shown")):
        stale = select(table.c.run_id).join(runs).where(runs.c.state.not_in(("queued", "running")))
        for row in connection.execute(stale):
            yield f"run {row.run_id} has ended and still has {what}"


def _search_problems(connection: Connection) -> Iterator[str]:
    last = func.coalesce(func.max(runs.c.trial), 0).label("last")
    counted = select(searches, func.count(runs.c.id).label("count"), last)
    unfinished = func.count().filter(is_unfinished).label("unfinished")
    counted = counted.add_columns(unfinished).outerjoin(runs, runs.c.search == searches.c.id).group_by(searches.c.id)
    for row in _rows(connection, counted.order_by(searches.c.id)):
        name = f"search {row.id} ({row.state})"
        if (row.state == "running") != (row.finished_at is None):
            yield f"{name} has {'no end time' if row.finished_at is None else f'the end time {row.finished_at}'}"
        if row.count != row.last or row.last > row.trials:
            yield f"{name} has {row.count} trials, numbered up to {row.last}, of {row.trials}"
        if row.state != "running" and row.unfinished:
            yield f"{name} has {row.unfinished} trials that have not ended"
    of_search = runs.c.search.is_not(None)
    lost = (
        select(runs.c.id).outerjoin(searches, searches.c.id == runs.c.search).where(of_search, searches.c.id.is_(None))
    )
    for run_id in connection.scalars(lost.order_by(runs.c.id)):
        yield f"run {run_id} is a trial of a search that does not exist"
    incomplete = select(runs.c.id).outerjoin(trials).where(of_search, trials.c.run_id.is_(None))
    for run_id in connection.scalars(incomplete.order_by(runs.c.id)):
        yield f"run {run_id} is a trial without its limits"


def _version_problems(connection: Connection) -> Iterator[str]:
    present = versions.c.deleted_at.is_(None)
    files = (
        select(versions.c.version, versions.c.digest, checkpoints.c.content)
        .join(checkpoints, isouter=True)
        .where(present)
        .order_by(versions.c.version)
    )
    for version in _rows(connection, files, FILES_AT_ONCE):
        yield from _problems_of_file(f"version {version.version}", bytes(version.content or b""), version.digest)
    made = (
        select(versions.c.version, versions.c.run_id, runs.c.id)
        .join(runs, runs.c.version == versions.c.version, isouter=True)
        .where(present, versions.c.origin == "run")
        .order_by(versions.c.version, runs.c.id)
    )
    for (version, run_id), rows in groupby(_rows(connection, made), key=lambda row: row[:2]):
        makers = [row.id for row in rows if row.id is not None]
        if makers != [run_id]:
            yield f"version {version} names run {run_id} as its origin, but runs {makers} name it as their result"
    twice = select(versions.c.run_id).where(versions.c.run_id.is_not(None)).group_by(versions.c.run_id)
    for run_id in connection.scalars(twice.having(func.count() > 1)):
        yield f"run {run_id} is the origin of more than one version"


def _problems_of_file(name: str, content: bytes, digest: str) -> Iterator[str]:
    if (found := hashlib.sha256(content).hexdigest()) != digest:
        yield f"{name} has SHA-256 {found}, recorded is {digest}"
    try:
        checkpoint.load(content, is_intact=found == digest)
    except CheckpointError as error:
        yield f"{name} cannot be loaded: {error}"


def _promotion_problems(connection: Connection) -> Iterator[str]:
    orphans = select(promotions.c.id, promotions.c.version).where(
        promotions.c.version.not_in(select(versions.c.version))
    )
    for row in _rows(connection, orphans.order_by(promotions.c.id)):
        yield f"promotion {row.id} names version {row.version}, which does not exist"
    served = read_served(connection)
    if served is None:
        if connection.execute(select(versions.c.version).limit(1)).first() is not None:
            yield "there are versions, but none was ever promoted"
        return
    present = (versions.c.version == served.version) & versions.c.deleted_at.is_(None)
    if connection.execute(select(versions.c.version).where(present)).first() is None:
        yield f"version {served.version} is served, but its file was deleted"


def _correction_problems(connection: Connection) -> Iterator[str]:
    size, label = func.length(corrections.c.image), corrections.c.label
    is_wrong = (size != NUM_PIXELS) | ~label.between(0, NUM_CLASSES - 1)
    for row in connection.execute(select(corrections.c.id, size.label("size"), label).where(is_wrong)):
        yield f"correction {row.id} has {row.size} pixels and the label {row.label}"
