"""Whether a registry holds together: what must be true after any sequence of kills."""

import hashlib
from collections.abc import Iterator

from sqlalchemy import Connection, Row, func, select, text

from inkling.errors import CheckpointError
from inkling.network import checkpoint
from inkling.registry.tables import promotions, run_progress, run_snapshots, runs, versions

STATES = ("queued", "running", "succeeded", "failed", "cancelled")


def problems_of(connection: Connection) -> list[str]:
    """Return what is wrong in the registry, a sentence each."""
    return [
        *_of_database(connection),
        *_of_runs(connection),
        *_of_progress(connection),
        *_of_versions(connection),
        *_of_promotions(connection),
    ]


def _of_database(connection: Connection) -> Iterator[str]:
    if connection.dialect.name == "sqlite":
        for check in ("integrity_check", "foreign_key_check"):
            for row in connection.execute(text(f"PRAGMA {check}")):
                if tuple(row) != ("ok",):
                    yield f"SQLite's {check}: {tuple(row)}"


def _of_runs(connection: Connection) -> Iterator[str]:
    for run in connection.execute(select(runs).order_by(runs.c.id)):
        yield from _of_run(run)


def _of_run(run: Row[tuple[object, ...]]) -> Iterator[str]:
    name = f"run {run.id} ({run.state})"
    if run.state not in STATES:
        yield f"{name} is in no known state"
    if (run.state == "running") != (run.lease_token is not None):
        yield f"{name} has {'no ' if run.lease_token is None else 'a '}lease"
    if (run.state == "succeeded") != (run.version is not None):
        yield f"{name} has version {run.version}"
    if (run.state == "failed") != (run.error_type is not None):
        yield f"{name} has error {run.error_type}"
    if (run.state in ("succeeded", "failed", "cancelled")) != (run.finished_at is not None):
        yield f"{name} finished at {run.finished_at}"
    if not 0 <= run.step <= run.total_steps:
        yield f"{name} is at step {run.step} of {run.total_steps}"


def _of_progress(connection: Connection) -> Iterator[str]:
    beyond = select(run_progress.c.run_id, run_progress.c.step).join(runs).where(run_progress.c.step > runs.c.step)
    for row in connection.execute(beyond):
        yield f"run {row.run_id} has progress of step {row.step}, which it has not reached"
    stale = select(run_snapshots.c.run_id).join(runs).where(runs.c.state.not_in(("queued", "running")))
    for row in connection.execute(stale):
        yield f"run {row.run_id} has ended and still has a snapshot"


def _of_versions(connection: Connection) -> Iterator[str]:
    for version in connection.execute(select(versions).order_by(versions.c.version)):
        name = f"version {version.version}"
        content = bytes(version.checkpoint)
        if (digest := hashlib.sha256(content).hexdigest()) != version.digest:
            yield f"{name} has SHA-256 {digest}, recorded is {version.digest}"
        try:
            checkpoint.load(content)
        except CheckpointError as error:
            yield f"{name} does not load: {error}"
        if version.origin == "run":
            makers = connection.scalars(select(runs.c.id).where(runs.c.version == version.version)).all()
            if makers != [version.run_id]:
                yield f"{name} was made by run {version.run_id}, but runs {makers} say that they made it"
    twice = select(versions.c.run_id).where(versions.c.run_id.is_not(None)).group_by(versions.c.run_id)
    for run_id in connection.scalars(twice.having(func.count() > 1)):
        yield f"run {run_id} made more than one version"


def _of_promotions(connection: Connection) -> Iterator[str]:
    known = set(connection.scalars(select(versions.c.version)))
    for row in connection.execute(select(promotions)):
        if row.version not in known:
            yield f"promotion {row.id} names version {row.version}, which does not exist"
    served = connection.scalar(select(func.count()).where(promotions.c.is_promoted))
    if known and not served:
        yield "there are versions, and none was ever promoted"
