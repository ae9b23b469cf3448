"""Training runs in the database: queued by clients, claimed by trainers."""

import secrets
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from inkling.errors import IdempotencyKeyError, LeaseLostError, QueueFullError, RunFinishedError, UnknownRunError
from inkling.network.recipe import Recipe
from inkling.registry.database import Database
from inkling.registry.records import Lease, Progress, PromotePolicy, Run, Snapshot
from inkling.registry.rows import newest_rows, now, to_progress, to_run
from inkling.registry.tables import run_progress, run_snapshots, runs

MAX_ATTEMPTS = 2
DURATION_RUNS = 10
"""The mean duration is taken over this many of the newest runs that succeeded."""
NO_LEASE = {"lease_token": None, "lease_expires_at": None}


class Runs:
    """Every public method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # for clients

    def queue(
        self, recipe: Recipe, promote: PromotePolicy, max_queued: int, idempotency_key: str | None = None
    ) -> tuple[Run, bool]:
        """Queue a run; return it and whether it is new. The same key and request return the first call's run.

        Raises:
            QueueFullError: `max_queued` runs wait already.
            IdempotencyKeyError: the key belongs to a request for something else.
        """
        with self._database.write() as connection:
            if idempotency_key is not None:
                query = select(runs).where(runs.c.idempotency_key == idempotency_key)
                if row := connection.execute(query).one_or_none():
                    return _same_request(to_run(row), recipe, promote, idempotency_key), False
            waiting = connection.scalar(select(func.count()).where(runs.c.state == "queued")) or 0
            if waiting >= max_queued:
                raise QueueFullError(
                    f"{waiting} runs are queued already, the limit is {max_queued}",
                    retry_after_s=_mean_duration_s(connection),
                )
            row = connection.execute(
                insert(runs)
                .values(
                    state="queued",
                    recipe=recipe.model_dump(),
                    promote=promote,
                    idempotency_key=idempotency_key,
                    requested_at=now(),
                    step=0,
                    total_steps=recipe.training_steps,
                    attempt=0,
                )
                .returning(runs)
            ).one()
            return to_run(row), True

    def get(self, run_id: int) -> Run:
        """Return a run.

        Raises:
            UnknownRunError: there is none of that id.
        """
        with self._database.read() as connection:
            return read_run(connection, run_id)

    def newest(self, limit: int, before: int | None = None) -> list[Run]:
        """Return the newest runs, newest first; of those before an id, if given."""
        with self._database.read() as connection:
            return [to_run(row) for row in newest_rows(connection, runs, runs.c.id, limit, before)]

    def progress(self, run_id: int, after: int = 0) -> list[Progress]:
        """Return the lines of progress that a run recorded after a step."""
        with self._database.read() as connection:
            mine = (run_progress.c.run_id == run_id) & (run_progress.c.step > after)
            query = select(run_progress).where(mine).order_by(run_progress.c.step)
            return [to_progress(row) for row in connection.execute(query)]

    def cancel(self, run_id: int) -> Run:
        """Cancel a queued or running run. Its trainer learns of it at the next display step.

        Raises:
            UnknownRunError: there is none of that id.
            RunFinishedError: it has ended.
        """
        with self._database.write() as connection:
            run = read_run(connection, run_id)
            if run.state not in ("queued", "running"):
                raise RunFinishedError(f"run {run_id} is {run.state}: it cannot be cancelled any more")
            end_run(connection, run_id, {"state": "cancelled"})
            return read_run(connection, run_id)

    def running(self) -> Run | None:
        with self._database.read() as connection:
            row = connection.execute(select(runs).where(runs.c.state == "running").limit(1)).one_or_none()
            return to_run(row) if row else None

    def has_work(self) -> bool:
        """Whether a trainer would find a run to claim now."""
        with self._database.read() as connection:
            live = select(runs.c.id).where(runs.c.state == "running", runs.c.lease_expires_at > now())
            if connection.execute(live.limit(1)).first():
                return False
            waiting = select(runs.c.id).where(runs.c.state.in_(("queued", "running")))
            return connection.execute(waiting.limit(1)).first() is not None

    # for trainers

    def claim(self, lease_s: float, owner: str, run_id: int | None = None) -> Lease | None:
        """Take the oldest queued run (or the one named), or none: one run trains at a time.

        A run whose lease has ended goes back to the queue once; the second time it fails.

        Args:
            lease_s: seconds until others may take the run for dead, unless the lease is renewed.
            owner: who claims it, for `end_leases`.
            run_id: the run to take, and no other.
        """
        with self._database.write() as connection:
            _requeue_expired(connection)
            if connection.execute(select(runs.c.id).where(runs.c.state == "running").limit(1)).first():
                return None
            query = select(runs.c.id).where(runs.c.state == "queued").order_by(runs.c.id).limit(1)
            run_id = connection.scalar(query if run_id is None else query.where(runs.c.id == run_id))
            if run_id is None:
                return None
            token = f"{owner}-{secrets.token_hex(12)}"
            connection.execute(
                update(runs)
                .where(runs.c.id == run_id)
                .values(
                    state="running",
                    started_at=func.coalesce(runs.c.started_at, now()),
                    attempt=runs.c.attempt + 1,
                    lease_token=token,
                    lease_expires_at=now() + timedelta(seconds=lease_s),
                )
            )
            return Lease(read_run(connection, run_id), token)

    def expire_leases(self, owner: str) -> None:
        """Take an owner's runs for dead at once: it is known to be."""
        with self._database.read() as connection:
            theirs = (runs.c.state == "running") & runs.c.lease_token.startswith(f"{owner}-", autoescape=True)
            alive = theirs & (runs.c.lease_expires_at > now())
            if connection.execute(select(runs.c.id).where(alive)).first() is None:
                return
        with self._database.write() as connection:
            connection.execute(update(runs).where(alive).values(lease_expires_at=now()))

    def renew_lease(self, claim: Lease, lease_s: float) -> None:
        """Say that the trainer is alive.

        Raises:
            LeaseLostError: the run is no longer this trainer's.
        """
        with self._database.write() as connection:
            update_claimed(connection, claim, {"lease_expires_at": now() + timedelta(seconds=lease_s)})

    def record_progress(self, claim: Lease, progress: Progress) -> None:
        """Record one line of progress, and again without harm: the answer to the first time may have been lost.

        Raises:
            LeaseLostError: the run is no longer this trainer's.
        """
        with self._database.write() as connection:
            update_claimed(connection, claim, {"step": progress.step})
            same = (run_progress.c.run_id == claim.run.id) & (run_progress.c.step == progress.step)
            connection.execute(delete(run_progress).where(same))
            connection.execute(insert(run_progress).values(run_id=claim.run.id, **asdict(progress)))

    def save_snapshot(self, claim: Lease, snapshot: Snapshot) -> None:
        """Keep the state that the run can go on from; it replaces the one before.

        Raises:
            LeaseLostError: the run is no longer this trainer's.
        """
        with self._database.write() as connection:
            update_claimed(connection, claim, {"step": snapshot.step})
            connection.execute(delete(run_snapshots).where(run_snapshots.c.run_id == claim.run.id))
            connection.execute(insert(run_snapshots).values(run_id=claim.run.id, **asdict(snapshot)))

    def snapshot(self, run_id: int) -> Snapshot | None:
        with self._database.read() as connection:
            row = connection.execute(select(run_snapshots).where(run_snapshots.c.run_id == run_id)).one_or_none()
            return Snapshot(row.step, row.state) if row else None

    def discard_snapshot(self, claim: Lease) -> None:
        """Have the run begin anew: its snapshot cannot be read.

        Raises:
            LeaseLostError: the run is no longer this trainer's.
        """
        with self._database.write() as connection:
            update_claimed(connection, claim, {"step": 0})
            connection.execute(delete(run_snapshots).where(run_snapshots.c.run_id == claim.run.id))
            connection.execute(delete(run_progress).where(run_progress.c.run_id == claim.run.id))

    def release(self, claim: Lease) -> None:
        """Give a run back to the queue, at its snapshot: that its trainer was asked to stop is no failure."""
        with self._database.write() as connection:
            _requeue(connection, claim.run.id, attempt=claim.run.attempt - 1, token=claim.token)

    def fail(self, claim: Lease, error_type: str, error: str) -> None:
        """End a run that cannot succeed.

        Raises:
            LeaseLostError: the run is no longer this trainer's.
        """
        with self._database.write() as connection:
            update_claimed(connection, claim, {})
            end_run(connection, claim.run.id, {"state": "failed", "error_type": error_type, "error": error})


# Inside a transaction that somebody else opened.


def read_run(connection: Connection, run_id: int) -> Run:
    row = connection.execute(select(runs).where(runs.c.id == run_id)).one_or_none()
    if row is None:
        raise UnknownRunError(f"there is no run {run_id}")
    return to_run(row)


def update_claimed(connection: Connection, claim: Lease, values: dict[str, Any]) -> None:
    mine = (runs.c.id == claim.run.id) & (runs.c.lease_token == claim.token)
    values = {"lease_token": claim.token, **values}
    if connection.execute(update(runs).where(mine).values(values)).rowcount != 1:
        raise LeaseLostError(f"run {claim.run.id} is no longer this trainer's")


def end_run(connection: Connection, run_id: int, values: dict[str, Any]) -> None:
    values = {**values, "finished_at": now(), **NO_LEASE}
    connection.execute(update(runs).where(runs.c.id == run_id).values(values))
    connection.execute(delete(run_snapshots).where(run_snapshots.c.run_id == run_id))


def _requeue_expired(connection: Connection) -> None:
    dead = select(runs).where(runs.c.state == "running", runs.c.lease_expires_at <= now())
    for row in connection.execute(dead).all():
        if row.attempt < MAX_ATTEMPTS:
            _requeue(connection, row.id, attempt=row.attempt, token=row.lease_token)
            continue
        error = f"its trainer died without a word, {row.attempt} times; was it killed, or out of memory?"
        end_run(connection, row.id, {"state": "failed", "error_type": "trainer_died", "error": error})


def _requeue(connection: Connection, run_id: int, attempt: int, token: str) -> None:
    """Put a run back into the queue, at the step of its snapshot: what it recorded later will be recorded again."""
    mine = (runs.c.id == run_id) & (runs.c.lease_token == token)
    step = connection.scalar(select(run_snapshots.c.step).where(run_snapshots.c.run_id == run_id)) or 0
    values = {"state": "queued", "step": step, "attempt": attempt, **NO_LEASE}
    if connection.execute(update(runs).where(mine).values(values)).rowcount:
        later = (run_progress.c.run_id == run_id) & (run_progress.c.step > step)
        connection.execute(delete(run_progress).where(later))


def _mean_duration_s(connection: Connection) -> float:
    """Return the mean seconds that the last runs took, from start to end; 30 when none has ended yet."""
    ended = select(runs).where(runs.c.state == "succeeded").order_by(runs.c.id.desc()).limit(DURATION_RUNS)
    times = [(row.finished_at - row.started_at).total_seconds() for row in connection.execute(ended)]
    return sum(times) / len(times) if times else 30.0


def _same_request(run: Run, recipe: Recipe, promote: PromotePolicy, key: str) -> Run:
    if (run.recipe, run.promote) != (recipe, promote):
        raise IdempotencyKeyError(f"Idempotency-Key {key!r} was used for another request, which made run {run.id}")
    return run
