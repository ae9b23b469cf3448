"""The changes of training runs and their leases, inside a transaction of the caller."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, delete, insert, literal, select, update

from inkling.errors import LeaseLostError, UnknownRunError
from inkling.network.recipe import Recipe
from inkling.registry.records import ErrorType, Lease, PromotePolicy, Run
from inkling.registry.rows import TRACEPARENT, database_time, to_run
from inkling.registry.tables import UtcDateTime, run_progress, run_snapshots, run_weights, runs

MAX_ATTEMPTS = 2
"""A run whose trainer dies is queued again until it was started this often; then it fails."""
MAX_LEASE_S = 60.0
"""Leases are at most this long, or twice as long as the one that is claimed: a longer one was made by another clock."""
GIVEN_UP = datetime(1970, 1, 1, tzinfo=UTC)
"""When a lease expired whose owner is known to be dead."""
NO_LEASE = {"lease_token": None, "lease_expires_at": None, "preparing": None}


def add_run(
    connection: Connection,
    recipe: Recipe,
    promote: PromotePolicy,
    traceparent: str | None = None,
    values: Mapping[str, Any] = MappingProxyType({}),
) -> Run:
    """Queue a run and return it. `values` are those of more columns."""
    row = connection.execute(
        insert(runs)
        .values(
            state="queued",
            recipe={**recipe.model_dump(), **({TRACEPARENT: traceparent} if traceparent else {})},
            promote=promote,
            requested_at=database_time(connection),
            step=0,
            total_steps=recipe.training_steps,
            attempt=0,
            **values,
        )
        .returning(runs)
    ).one()
    return to_run(row)


def read_run(connection: Connection, run_id: int) -> Run:
    row = connection.execute(select(runs).where(runs.c.id == run_id)).one_or_none()
    if row is None:
        raise UnknownRunError(f"there is no run {run_id}")
    return to_run(row)


def lock_run(connection: Connection, run_id: int) -> Run:
    """Return a run that nobody else changes until the end of the transaction."""
    connection.execute(select(runs.c.id).where(runs.c.id == run_id).with_for_update())
    return read_run(connection, run_id)


def update_leased(connection: Connection, lease: Lease, values: dict[str, Any]) -> None:
    """Update a run if the lease is still valid. Until the end of the transaction nobody else changes it.

    Raises:
        LeaseLostError: the lease was lost.
    """
    leased = (runs.c.id == lease.run.id) & (runs.c.lease_token == lease.token)
    values = {"lease_token": lease.token, **values}
    if connection.execute(update(runs).where(leased).values(values)).rowcount != 1:
        raise LeaseLostError(f"run {lease.run.id} is no longer this trainer's")


def end_run(connection: Connection, run_id: int, values: dict[str, Any]) -> None:
    values = {**values, "finished_at": database_time(connection), **NO_LEASE}
    connection.execute(update(runs).where(runs.c.id == run_id).values(values))
    connection.execute(delete(run_snapshots).where(run_snapshots.c.run_id == run_id))
    connection.execute(delete(run_weights).where(run_weights.c.run_id == run_id))


def fail_run(connection: Connection, run_id: int, error_type: ErrorType, error: str) -> None:
    end_run(connection, run_id, {"state": "failed", "error_type": error_type, "error": error})


def bound_leases(connection: Connection, lease_s: float) -> None:
    """Shorten leases that end later than any trainer asks for, because the clock was set back.

    A trainer that is alive renews its lease in time; one that died before would block the others until then.
    """
    latest = database_time(connection, max(2 * lease_s, MAX_LEASE_S))
    too_long = (runs.c.state == "running") & (runs.c.lease_expires_at > latest)
    connection.execute(update(runs).where(too_long).values(lease_expires_at=database_time(connection, MAX_LEASE_S)))


def requeue_expired(connection: Connection, *, takes_over: bool) -> None:
    """Queue the runs again whose leases were given up, and if `takes_over`, those whose leases have expired, too."""
    latest = database_time(connection) if takes_over else literal(GIVEN_UP, UtcDateTime())
    expired = select(runs).where(runs.c.state == "running", runs.c.lease_expires_at <= latest)
    for row in connection.execute(expired.with_for_update(skip_locked=True)).all():  # or its trainer is alive
        if row.attempt < MAX_ATTEMPTS:
            requeue(connection, row.id, attempt=row.attempt, token=row.lease_token)
            continue
        cause = row.trouble or "was it killed, or out of memory?"
        error = f"its trainer stopped without reporting an error, {row.attempt} times; the last time: {cause}"
        fail_run(connection, row.id, "trainer_died", error)


def requeue(connection: Connection, run_id: int, attempt: int, token: str | None) -> None:
    """Queue a run again, at the step of its snapshot, and delete its later progress, which will be recorded again."""
    has_token = runs.c.lease_token.is_(None) if token is None else runs.c.lease_token == token
    leased = (runs.c.id == run_id) & has_token
    if connection.execute(select(runs.c.id).where(leased).with_for_update()).first() is None:
        return
    step = connection.scalar(select(run_snapshots.c.step).where(run_snapshots.c.run_id == run_id)) or 0
    values: dict[str, Any] = {"state": "queued", "step": step, "attempt": attempt, "stages": [], **NO_LEASE}
    connection.execute(update(runs).where(leased).values(values))
    later = (run_progress.c.run_id == run_id) & (run_progress.c.step > step)
    connection.execute(delete(run_progress).where(later))
    connection.execute(delete(run_weights).where(run_weights.c.run_id == run_id))
