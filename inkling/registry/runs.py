"""Training runs in the database: clients queue them, trainers lease them."""

import secrets
from collections import Counter
from dataclasses import asdict
from statistics import median

from sqlalchemy import ColumnElement, Connection, delete, false, func, insert, literal, null, select, update

from inkling.errors import IdempotencyKeyError, QueueFullError, RunFinishedError
from inkling.network.first_layer import FirstLayer
from inkling.network.recipe import Recipe
from inkling.registry.database import CLAIMS, Database
from inkling.registry.quota import VersionQuota
from inkling.registry.records import (
    ErrorType,
    HeldLease,
    Lease,
    Progress,
    PromotePolicy,
    Run,
    Snapshot,
    StageName,
    Workload,
)
from inkling.registry.rows import database_time, newest_rows, to_progress, to_run
from inkling.registry.run_changes import (
    GIVEN_UP,
    add_run,
    bound_leases,
    end_run,
    fail_run,
    lock_run,
    read_run,
    requeue,
    requeue_expired,
    update_leased,
)
from inkling.registry.search_rows import has_no_unfinished_trial, is_unfinished
from inkling.registry.tables import run_progress, run_snapshots, run_weights, runs

DURATION_RUNS = 10
"""The typical duration is taken over this many of the newest runs that succeeded."""
DEFAULT_DURATION_S = 30.0
"""The typical duration while no run has succeeded yet."""
MAX_DURATION_S = 24 * 3600.0
"""The longest duration that is announced."""


class Runs:
    """The runs of a registry. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # for clients

    def queue(
        self,
        recipe: Recipe,
        promote: PromotePolicy,
        max_queued: int,
        idempotency_key: str | None = None,
        quota: VersionQuota | None = None,
        *,
        dataset: str | None = None,
        traceparent: str | None = None,
    ) -> tuple[Run, bool]:
        """Queue a run; return it and whether it is new. A repeated call with the same key returns the first call's run.

        Raises:
            VersionQuotaError: its version would exceed the quota.
            QueueFullError: `max_queued` runs are queued already.
            IdempotencyKeyError: the key was used with another recipe or policy.

        `dataset` names own data, None MNIST: a trainer of other data refuses the run.
        """
        with self._database.write() as connection:
            if idempotency_key is not None:
                query = select(runs).where(runs.c.idempotency_key == idempotency_key)
                if row := connection.execute(query).one_or_none():
                    return _same_request(to_run(row), recipe, promote, idempotency_key), False
            if quota:
                quota.require_room(connection)
            queued = connection.scalar(select(func.count()).where(runs.c.state == "queued")) or 0
            if queued >= max_queued:
                raise QueueFullError(
                    f"{queued} runs are queued already, the limit is {max_queued}",
                    retry_after_s=_typical_duration_s(connection),
                )
            values = {"idempotency_key": idempotency_key, "dataset": dataset}
            return add_run(connection, recipe, promote, traceparent, values), True

    def get(self, run_id: int) -> Run:
        """Return a run.

        Raises:
            UnknownRunError: there is no such run.
        """
        with self._database.read() as connection:
            return read_run(connection, run_id)

    def newest(self, limit: int, before: int | None = None) -> list[Run]:
        """Return the newest runs, newest first; if `before` is given, only those with a smaller id."""
        with self._database.read() as connection:
            return [to_run(row) for row in newest_rows(connection, runs, runs.c.id, limit, before)]

    def progress(self, run_id: int, after: int = 0) -> list[Progress]:
        """Return the progress records of a run after a step."""
        with self._database.read() as connection:
            later = (run_progress.c.run_id == run_id) & (run_progress.c.step > after)
            query = select(run_progress).where(later).order_by(run_progress.c.step)
            return [to_progress(row) for row in connection.execute(query)]

    def first_layer(self, run_id: int) -> FirstLayer | None:
        """Return the first layer's weights of a run that is trained, None if there are none yet."""
        with self._database.read() as connection:
            row = connection.execute(select(run_weights).where(run_weights.c.run_id == run_id)).one_or_none()
            return FirstLayer(row.step, row.largest, row.content) if row else None

    def cancel(self, run_id: int) -> Run:
        """Cancel a queued or running run. Its trainer stops at the next display step.

        Raises:
            UnknownRunError: there is no such run.
            RunFinishedError: it has ended.
        """
        with self._database.write() as connection:
            run = lock_run(connection, run_id)
            if run.state not in ("queued", "running"):
                raise RunFinishedError(f"run {run_id} is {run.state}: it cannot be cancelled any more")
            end_run(connection, run_id, {"state": "cancelled"})
            return read_run(connection, run_id)

    def running(self) -> list[Run]:
        """Return the runs that are being trained, oldest first."""
        with self._database.read() as connection:
            query = select(runs).where(runs.c.state == "running").order_by(runs.c.id)
            return [to_run(row) for row in connection.execute(query)]

    def workload(self) -> Workload:
        """Return what there is to train, and who trains."""
        with self._database.read() as connection:
            is_valid = (runs.c.lease_expires_at > database_time(connection)).label("is_valid")
            unfinished = select(runs.c.state, runs.c.lease_token, is_valid).where(is_unfinished)
            waiting = select(literal("search"), null(), false()).where(has_no_unfinished_trial)  # one call for both
            rows = connection.execute(unfinished.union_all(waiting)).all()
        leases = [
            HeldLease((row.lease_token or "").rpartition("-")[0], bool(row.is_valid))
            for row in rows
            if row.state == "running"
        ]
        states = Counter(row.state for row in rows)
        return Workload(states["queued"], leases, states["search"])

    # for trainers

    def claim(
        self, lease_s: float, owner: str, run_id: int | None = None, at_once: int = 1, *, takes_over: bool = True
    ) -> Lease | None:
        """Start a run and return its lease; None if no run is queued or `at_once` others are running.

        A run whose lease has expired is queued again first; if it was started MAX_ATTEMPTS times, it fails.

        Claims wait for each other, or more than `at_once` would pass. They wait for nobody else: on PostgreSQL a run
        whose row is locked is left to the one who changes it.

        Args:
            lease_s: seconds until the lease expires, unless it is renewed.
            owner: the name of the trainer, for `expire_leases`.
            run_id: the run to start; without it, the oldest queued run.
            at_once: how many runs of the registry may be trained at the same time.
            takes_over: whether expired leases are taken for those of dead trainers. After an outage of the registry
                those of live ones have expired, too.
        """
        with self._database.write(CLAIMS) as connection:
            bound_leases(connection, lease_s)
            requeue_expired(connection, takes_over=takes_over)
            running = connection.scalar(select(func.count()).where(runs.c.state == "running")) or 0
            if running >= at_once:
                return None
            query = select(runs.c.id).where(runs.c.state == "queued").order_by(runs.c.id).limit(1)
            query = query.with_for_update(skip_locked=True)
            run_id = connection.scalar(query if run_id is None else query.where(runs.c.id == run_id))
            if run_id is None:
                return None
            token = f"{owner}-{secrets.token_hex(12)}"
            connection.execute(
                update(runs)
                .where(runs.c.id == run_id)
                .values(
                    state="running",
                    started_at=func.coalesce(runs.c.started_at, database_time(connection)),
                    attempt=runs.c.attempt + 1,
                    stages=[],
                    lease_token=token,
                    lease_expires_at=database_time(connection, lease_s),
                )
            )
            return Lease(read_run(connection, run_id), token)

    def expire_leases(self, owner: str, trouble: str | None = None) -> None:
        """Let the leases of an owner expire now, because it is known to be dead.

        Args:
            owner: its name in the leases.
            trouble: how it died, in words, for the runs that it leased.
        """
        owned: ColumnElement[bool] = (runs.c.state == "running") & runs.c.lease_token.startswith(
            f"{owner}-", autoescape=True
        )
        if trouble is None:
            owned &= runs.c.lease_expires_at > GIVEN_UP
        with self._database.read() as connection:
            if connection.execute(select(runs.c.id).where(owned)).first() is None:
                return
        values = {"lease_expires_at": GIVEN_UP, **({} if trouble is None else {"trouble": trouble})}
        with self._database.write() as connection:
            connection.execute(update(runs).where(owned).values(values))

    def report_trouble(self, lease: Lease, trouble: str, lease_s: float) -> None:
        """Record what keeps a trainer from its work, in words, until its next progress; and extend its lease.

        Raises:
            LeaseLostError: the lease was lost.
        """
        with self._database.write(lock=None) as connection:
            expiry = {"lease_expires_at": database_time(connection, lease_s)}
            update_leased(connection, lease, {"trouble": trouble, **expiry})

    def report_preparation(self, lease: Lease, preparing: str) -> None:
        """Record what a trainer does before the first step, in words, until its next progress.

        Raises:
            LeaseLostError: the lease was lost.
        """
        with self._database.write(lock=None) as connection:
            update_leased(connection, lease, {"preparing": preparing})

    def enter_stage(self, lease: Lease, name: StageName) -> None:
        """Record that a stage of the run begins. May be repeated, like `record_progress`.

        Raises:
            LeaseLostError: the lease was lost.
        """
        with self._database.write(lock=None) as connection:
            update_leased(connection, lease, {})
            stages = connection.scalar(select(runs.c.stages).where(runs.c.id == lease.run.id)) or []
            if stages and stages[-1][0] == name:
                return
            started_at = connection.execute(select(database_time(connection))).scalar_one()
            update_leased(connection, lease, {"stages": [*stages, [name, started_at.isoformat()]]})

    def renew_lease(self, lease: Lease, lease_s: float) -> None:
        """Extend a lease: its trainer is alive.

        Raises:
            LeaseLostError: the lease was lost.
        """
        with self._database.write(lock=None) as connection:
            update_leased(connection, lease, {"lease_expires_at": database_time(connection, lease_s)})

    def record_progress(self, lease: Lease, *progress: Progress) -> None:
        """Record lines of progress. May be repeated, in case the first call succeeded but its connection was lost.

        Raises:
            LeaseLostError: the lease was lost.
        """
        with self._database.write(lock=None) as connection:
            update_leased(connection, lease, {"step": progress[-1].step, "trouble": None, "preparing": None})
            steps = [line.step for line in progress]
            same = (run_progress.c.run_id == lease.run.id) & run_progress.c.step.in_(steps)
            connection.execute(delete(run_progress).where(same))
            connection.execute(insert(run_progress), [{"run_id": lease.run.id, **asdict(line)} for line in progress])

    def save_snapshot(self, lease: Lease, snapshot: Snapshot) -> None:
        """Save the state from which the run can be resumed; it replaces the previous snapshot.

        Raises:
            LeaseLostError: the lease was lost.
        """
        with self._database.write(lock=None) as connection:
            update_leased(connection, lease, {"step": snapshot.step})
            connection.execute(delete(run_snapshots).where(run_snapshots.c.run_id == lease.run.id))
            connection.execute(insert(run_snapshots).values(run_id=lease.run.id, **asdict(snapshot)))

    def show_first_layer(self, lease: Lease, layer: FirstLayer) -> None:
        """Show the first layer's weights to whoever watches the run; they replace the previous ones.

        Raises:
            LeaseLostError: the lease was lost.
        """
        with self._database.write(lock=None) as connection:
            update_leased(connection, lease, {})
            connection.execute(delete(run_weights).where(run_weights.c.run_id == lease.run.id))
            connection.execute(insert(run_weights).values(run_id=lease.run.id, **asdict(layer)))

    def snapshot(self, run_id: int) -> Snapshot | None:
        """Return the snapshot of a run, None if it has none."""
        with self._database.read() as connection:
            row = connection.execute(select(run_snapshots).where(run_snapshots.c.run_id == run_id)).one_or_none()
            return Snapshot(row.step, row.state) if row else None

    def discard_snapshot(self, lease: Lease) -> None:
        """Reset the run to step 0, because its snapshot cannot be used.

        Raises:
            LeaseLostError: the lease was lost.
        """
        with self._database.write(lock=None) as connection:
            update_leased(connection, lease, {"step": 0})
            connection.execute(delete(run_snapshots).where(run_snapshots.c.run_id == lease.run.id))
            connection.execute(delete(run_progress).where(run_progress.c.run_id == lease.run.id))

    def release(self, lease: Lease) -> None:
        """Queue the run again, at its snapshot. This does not count as an attempt: its trainer was asked to stop."""
        with self._database.write(lock=None) as connection:
            requeue(connection, lease.run.id, attempt=lease.run.attempt - 1, token=lease.token)

    def fail(self, lease: Lease, error_type: ErrorType, error: str) -> None:
        """End a run as failed.

        Raises:
            LeaseLostError: the lease was lost.
        """
        with self._database.write(lock=None) as connection:
            update_leased(connection, lease, {})
            fail_run(connection, lease.run.id, error_type, error)


def _typical_duration_s(connection: Connection) -> float:
    """Return the median duration of the last runs that succeeded, from start to end.

    The median, within bounds: times of day were subtracted, and a clock that was set in between makes some absurd.
    """
    succeeded = select(runs).where(runs.c.state == "succeeded").order_by(runs.c.id.desc()).limit(DURATION_RUNS)
    durations = [(row.finished_at - row.started_at).total_seconds() for row in connection.execute(succeeded)]
    return min(max(median(durations), 1.0), MAX_DURATION_S) if durations else DEFAULT_DURATION_S


def _same_request(run: Run, recipe: Recipe, promote: PromotePolicy, key: str) -> Run:
    if (run.recipe, run.promote) != (recipe, promote):
        raise IdempotencyKeyError(f"the idempotency key {key!r} was used for another request, which made run {run.id}")
    return run
