"""The single store: training runs, model versions with their bytes, and which version is served.

Every public method is one transaction, so a kill at any moment leaves the state before it or the state after it.
"""

import secrets
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Table, delete, func, insert, select, update

from training.checkpoint import Checkpoint
from training.database import Database
from training.evaluation import Evaluation
from training.recipe import Recipe
from training.records import (
    Claim,
    Decision,
    IdempotencyKeyError,
    LeaseLostError,
    Progress,
    PromotePolicy,
    Promotion,
    QueueFullError,
    Run,
    RunFinishedError,
    UnknownRunError,
    UnknownVersionError,
    Version,
)
from training.tables import promotions, run_progress, runs, versions

MAX_ATTEMPTS = 2

Decide = Callable[[bytes | None], Decision]
"""Judges a new version against the served one's checkpoint file (none in an empty registry)."""

R = TypeVar("R", Run, Progress, Version, Promotion)


class Registry:
    """Opens the database at a SQLAlchemy URL, and makes its tables when they are missing."""

    def __init__(self, url: str) -> None:
        self._database = Database(url)

    def close(self) -> None:
        self._database.close()

    # runs, as clients see them

    def queue_run(
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
                    return _same_request(_run(row), recipe, promote, idempotency_key), False
            waiting = connection.scalar(select(func.count()).where(runs.c.state == "queued")) or 0
            if waiting >= max_queued:
                raise QueueFullError(
                    f"{waiting} runs wait already, the limit is {max_queued}; try again when one has ended, "
                    "or cancel one with DELETE /train/{id}"
                )
            row = connection.execute(
                insert(runs)
                .values(
                    state="queued",
                    recipe=recipe.model_dump(),
                    promote=promote,
                    idempotency_key=idempotency_key,
                    requested_at=_now(),
                    step=0,
                    total_steps=recipe.training_steps,
                    attempt=0,
                )
                .returning(runs)
            ).one()
            return _run(row), True

    def run(self, run_id: int) -> Run:
        """Return a run.

        Raises:
            UnknownRunError: there is none of that id.
        """
        with self._database.read() as connection:
            return self._run_row(connection, run_id)

    def runs(self, limit: int, before: int | None = None) -> list[Run]:
        """Return the newest runs, newest first; of those before an id, if given."""
        with self._database.read() as connection:
            return [_run(row) for row in _newest(connection, runs, runs.c.id, limit, before)]

    def progress(self, run_id: int) -> list[Progress]:
        with self._database.read() as connection:
            query = select(run_progress).where(run_progress.c.run_id == run_id).order_by(run_progress.c.step)
            return [_record(Progress, row) for row in connection.execute(query)]

    def cancel_run(self, run_id: int) -> Run:
        """Cancel a queued or running run. Its trainer learns of it at the next display step.

        Raises:
            UnknownRunError: there is none of that id.
            RunFinishedError: it has ended.
        """
        with self._database.write() as connection:
            run = self._run_row(connection, run_id)
            if run.state not in ("queued", "running"):
                raise RunFinishedError(f"run {run_id} is {run.state}: it cannot be cancelled any more")
            values = {"state": "cancelled", "finished_at": _now(), **_NO_LEASE}
            connection.execute(update(runs).where(runs.c.id == run_id).values(values))
            return self._run_row(connection, run_id)

    def running_run(self) -> Run | None:
        with self._database.read() as connection:
            row = connection.execute(select(runs).where(runs.c.state == "running").limit(1)).one_or_none()
            return _run(row) if row else None

    def has_work(self) -> bool:
        """Whether a trainer would find a run to claim now."""
        with self._database.read() as connection:
            live = select(runs.c.id).where(runs.c.state == "running", runs.c.lease_expires_at > _now())
            if connection.execute(live.limit(1)).first():
                return False
            waiting = select(runs.c.id).where(runs.c.state.in_(("queued", "running")))
            return connection.execute(waiting.limit(1)).first() is not None

    # runs, as a trainer sees them

    def claim_run(self, lease_s: float, run_id: int | None = None) -> Claim | None:
        """Take the oldest queued run (or the one named), or none: one run trains at a time.

        A run whose lease has ended goes back to the queue once; the second time it fails.
        """
        with self._database.write() as connection:
            self._give_up_dead_runs(connection)
            if connection.execute(select(runs.c.id).where(runs.c.state == "running").limit(1)).first():
                return None
            query = select(runs.c.id).where(runs.c.state == "queued").order_by(runs.c.id).limit(1)
            run_id = connection.scalar(query if run_id is None else query.where(runs.c.id == run_id))
            if run_id is None:
                return None
            token = secrets.token_hex(16)
            connection.execute(
                update(runs)
                .where(runs.c.id == run_id)
                .values(
                    state="running",
                    started_at=_now(),
                    attempt=runs.c.attempt + 1,
                    lease_token=token,
                    lease_expires_at=_now() + timedelta(seconds=lease_s),
                )
            )
            return Claim(self._run_row(connection, run_id), token)

    def renew_lease(self, claim: Claim, lease_s: float) -> None:
        """Say that the trainer is alive.

        Raises:
            LeaseLostError: the run is no longer this trainer's.
        """
        with self._database.write() as connection:
            expiry = _now() + timedelta(seconds=lease_s)
            self._update_claimed(connection, claim, {"lease_expires_at": expiry})

    def record_progress(self, claim: Claim, progress: Progress) -> None:
        """Record one line of progress.

        Raises:
            LeaseLostError: the run is no longer this trainer's.
        """
        with self._database.write() as connection:
            self._update_claimed(connection, claim, {"step": progress.step})
            values = {field.name: getattr(progress, field.name) for field in fields(Progress)}
            connection.execute(insert(run_progress).values(run_id=claim.run.id, **values))

    def release_run(self, claim: Claim) -> None:
        """Give a run back to the queue, as if it had not been claimed: its trainer was asked to stop."""
        with self._database.write() as connection:
            self._requeue(connection, claim.run.id, attempt=claim.run.attempt - 1, token=claim.token)

    def fail_run(self, claim: Claim, error_type: str, error: str) -> None:
        """End a run that cannot succeed.

        Raises:
            LeaseLostError: the run is no longer this trainer's.
        """
        values = {"state": "failed", "finished_at": _now(), "error_type": error_type, "error": error}
        with self._database.write() as connection:
            self._update_claimed(connection, claim, {**values, **_NO_LEASE})

    def publish(self, claim: Claim, checkpoint: Checkpoint, decide: Decide) -> Version:
        """Add a run's version, end the run, and promote the version if `decide` says so.

        Raises:
            LeaseLostError: the run is no longer this trainer's; nothing is published.
        """
        with self._database.write() as connection:
            version = self._add_version(connection, checkpoint, "run", claim.run.id)
            current = self._served(connection)
            decision = decide(self._checkpoint(connection, current.version) if current else None)
            values = {
                "state": "succeeded",
                "step": claim.run.total_steps,
                "finished_at": _now(),
                "version": version.version,
                "decision": decision.reason,
            }
            self._update_claimed(connection, claim, {**values, **_NO_LEASE})
            if decision.is_promoted:
                self._promote(connection, version.version, claim.run.promote, decision.reason)
            return version

    # versions

    def add_first_version(self, checkpoint: Checkpoint) -> None:
        """Add and promote the shipped checkpoint, unless the registry has a version already."""
        with self._database.write() as connection:
            if connection.execute(select(versions.c.version).limit(1)).first() is None:
                version = self._add_version(connection, checkpoint, "shipped", None)
                self._promote(connection, version.version, "shipped", "the version that Inkling ships with")

    def version(self, version: int) -> Version:
        """Return a version.

        Raises:
            UnknownVersionError: there is none of that number.
        """
        with self._database.read() as connection:
            return self._version_row(connection, version)

    def versions(self, limit: int, before: int | None = None) -> list[Version]:
        """Return the newest versions, newest first; of those before a number, if given."""
        with self._database.read() as connection:
            return [_version(row) for row in _newest(connection, versions, versions.c.version, limit, before)]

    def checkpoint(self, version: int) -> bytes:
        """Return the checkpoint file of a version.

        Raises:
            UnknownVersionError: there is none of that number.
        """
        with self._database.read() as connection:
            return self._checkpoint(connection, version)

    def promote(self, version: int, reason: str) -> Promotion:
        """Serve a version from now on. To promote the served version again changes nothing.

        Raises:
            UnknownVersionError: there is none of that number.
        """
        with self._database.write() as connection:
            self._version_row(connection, version)
            served = self._served(connection)
            if served is not None and served.version == version:
                return served
            return self._promote(connection, version, "manual", reason)

    def served(self) -> Promotion | None:
        """Return the newest promotion: it names the version being served."""
        with self._database.read() as connection:
            return self._served(connection)

    def promotions(self, limit: int, before: int | None = None) -> list[Promotion]:
        """Return the newest promotions, newest first; of those before an id, if given."""
        with self._database.read() as connection:
            rows = _newest(connection, promotions, promotions.c.id, limit, before)
            return [_record(Promotion, row) for row in rows]

    # inside a transaction

    def _run_row(self, connection: Connection, run_id: int) -> Run:
        row = connection.execute(select(runs).where(runs.c.id == run_id)).one_or_none()
        if row is None:
            raise UnknownRunError(f"there is no run {run_id}; GET /train lists them")
        return _run(row)

    def _version_row(self, connection: Connection, version: int) -> Version:
        columns = [column for column in versions.c if column.name != "checkpoint"]
        row = connection.execute(select(*columns).where(versions.c.version == version)).one_or_none()
        if row is None:
            raise UnknownVersionError(f"there is no version {version}; GET /versions lists them")
        return _version(row)

    def _checkpoint(self, connection: Connection, version: int) -> bytes:
        self._version_row(connection, version)
        content = connection.scalar(select(versions.c.checkpoint).where(versions.c.version == version))
        return bytes(content or b"")

    def _served(self, connection: Connection) -> Promotion | None:
        row = connection.execute(select(promotions).order_by(promotions.c.id.desc()).limit(1)).one_or_none()
        return _record(Promotion, row) if row else None

    def _update_claimed(self, connection: Connection, claim: Claim, values: dict[str, Any]) -> None:
        mine = (runs.c.id == claim.run.id) & (runs.c.lease_token == claim.token)
        if connection.execute(update(runs).where(mine).values(values)).rowcount != 1:
            raise LeaseLostError(f"run {claim.run.id} is no longer this trainer's")

    def _give_up_dead_runs(self, connection: Connection) -> None:
        dead = select(runs).where(runs.c.state == "running", runs.c.lease_expires_at <= _now())
        for row in connection.execute(dead).all():
            if row.attempt < MAX_ATTEMPTS:
                self._requeue(connection, row.id, attempt=row.attempt, token=row.lease_token)
                continue
            connection.execute(
                update(runs)
                .where(runs.c.id == row.id)
                .values(
                    state="failed",
                    finished_at=_now(),
                    error_type="trainer_died",
                    error=f"its trainer died without a word, {row.attempt} times; was it killed, or out of memory?",
                    **_NO_LEASE,
                )
            )

    def _requeue(self, connection: Connection, run_id: int, attempt: int, token: str) -> None:
        mine = (runs.c.id == run_id) & (runs.c.lease_token == token)
        values = {"state": "queued", "step": 0, "started_at": None, "attempt": attempt, **_NO_LEASE}
        if connection.execute(update(runs).where(mine).values(values)).rowcount:
            connection.execute(delete(run_progress).where(run_progress.c.run_id == run_id))

    def _add_version(self, connection: Connection, checkpoint: Checkpoint, origin: str, run_id: int | None) -> Version:
        row = connection.execute(
            insert(versions)
            .values(
                run_id=run_id,
                digest=checkpoint.digest,
                checkpoint=checkpoint.content,
                evaluation=checkpoint.card.evaluation.model_dump(),
                created_at=checkpoint.card.created_at,
                origin=origin,
            )
            .returning(versions.c.version)
        ).one()
        return self._version_row(connection, row.version)

    def _promote(self, connection: Connection, version: int, policy: str, reason: str) -> Promotion:
        values = {"version": version, "promoted_at": _now(), "policy": policy, "reason": reason}
        row = connection.execute(insert(promotions).values(values).returning(promotions)).one()
        return _record(Promotion, row)


_NO_LEASE = {"lease_token": None, "lease_expires_at": None}


def _now() -> datetime:
    return datetime.now(UTC)


def _newest(connection: Connection, table: Table, key: Any, limit: int, before: int | None) -> list[Row[Any]]:
    columns = [column for column in table.c if column.name != "checkpoint"]
    query = select(*columns).order_by(key.desc()).limit(limit)
    return list(connection.execute(query if before is None else query.where(key < before)).all())


def _record(cls: type[R], row: Row[Any], **parsed: Any) -> R:
    values = {**row._mapping, **parsed}
    return cls(**{field.name: values[field.name] for field in fields(cls)})


def _run(row: Row[Any]) -> Run:
    return _record(Run, row, recipe=Recipe.model_validate(row.recipe))


def _version(row: Row[Any]) -> Version:
    return _record(Version, row, evaluation=Evaluation.model_validate(row.evaluation))


def _same_request(run: Run, recipe: Recipe, promote: PromotePolicy, key: str) -> Run:
    if (run.recipe, run.promote) != (recipe, promote):
        raise IdempotencyKeyError(f"Idempotency-Key {key!r} was used for another request, which made run {run.id}")
    return run
