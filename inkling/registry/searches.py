"""Searches in the database: clients start them, trainers choose their trials and train these as runs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from sqlalchemy import Connection, func, insert, select, update

from inkling.errors import QueueFullError, SearchFinishedError, SearchNameError, UnknownSearchError
from inkling.network.recipe import Recipe
from inkling.registry.database import Database
from inkling.registry.quota import VersionQuota
from inkling.registry.records import Lease
from inkling.registry.rows import database_time, newest_rows
from inkling.registry.run_changes import add_run, end_run, lock_run, update_leased
from inkling.registry.search_records import Search, SearchPlan, SearchState, Trial
from inkling.registry.search_rows import has_no_unfinished_trial, is_unfinished, read_trials, to_search
from inkling.registry.tables import run_progress, runs, searches, trials

RETRY_S = 60.0
"""When a search may have ended, for a client that is refused because too many are running."""


class Searches:
    """The searches of a registry. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # for clients

    def start(
        self, plan: SearchPlan, name: str | None, max_running: int, quota: VersionQuota | None = None
    ) -> tuple[Search, bool]:
        """Start a search; return it and whether it is new. A repeated call with the same name returns the first one.

        Raises:
            SearchNameError: the name belongs to a search with another plan.
            VersionQuotaError: the versions of its trials would exceed the quota.
            QueueFullError: `max_running` searches are running already.
        """
        with self._database.write() as connection:
            if name is not None:
                query = select(searches).where(searches.c.name == name)
                if row := connection.execute(query).one_or_none():
                    return _same_plan(to_search(row), plan), False
            if quota:
                quota.require_room(connection, more=plan.trials)
            is_running = searches.c.state == "running"
            running = connection.scalar(select(func.count()).select_from(searches).where(is_running)) or 0
            if running >= max_running:
                message = f"{running} searches are running already, the limit is {max_running}"
                raise QueueFullError(message, retry_after_s=RETRY_S)
            values = {**asdict(plan), "recipe": plan.recipe.model_dump(), "space": dict(plan.space)}
            row = connection.execute(
                insert(searches)
                .values(name=name, state="running", requested_at=database_time(connection), **values)
                .returning(searches)
            ).one()
            return to_search(row), True

    def get(self, search_id: int) -> Search:
        """Return a search.

        Raises:
            UnknownSearchError: there is no such search.
        """
        with self._database.read() as connection:
            return _read_search(connection, search_id)

    def newest(self, limit: int, before: int | None = None) -> list[Search]:
        """Return the newest searches, newest first; if `before` is given, only those with a smaller number."""
        with self._database.read() as connection:
            return [to_search(row) for row in newest_rows(connection, searches, searches.c.id, limit, before)]

    def running_like(self, plan: SearchPlan) -> Search | None:
        """Return the newest running search with this plan, None if there is none."""
        with self._database.read() as connection:
            query = select(searches).where(searches.c.state == "running").order_by(searches.c.id.desc())
            return next((search for row in connection.execute(query) if (search := to_search(row)).plan == plan), None)

    def trials(self, search: Search) -> list[Trial]:
        """Return the trials of a search so far, in the order of their numbers."""
        with self._database.read() as connection:
            return read_trials(connection, search)

    def cancel(self, search_id: int) -> Search:
        """Cancel a search and those of its runs that have not ended.

        Raises:
            UnknownSearchError: there is no such search.
            SearchFinishedError: it has ended.
        """
        with self._database.write() as connection:
            search = _read_search(connection, search_id)
            if search.state != "running":
                raise SearchFinishedError(f"search {search_id} is {search.state}: it cannot be cancelled any more")
            _end(connection, search_id, "cancelled", None)
            for run_id in connection.scalars(select(runs.c.id).where(runs.c.search == search_id, is_unfinished)).all():
                if lock_run(connection, run_id).state in ("queued", "running"):
                    end_run(connection, run_id, {"state": "cancelled"})
            return _read_search(connection, search_id)

    # for trainers

    def waiting(self) -> Search | None:
        """Return the oldest search that waits for a trainer to choose its next trials, or to end it."""
        with self._database.read() as connection:
            query = select(searches).where(has_no_unfinished_trial).order_by(searches.c.id).limit(1)
            row = connection.execute(query).one_or_none()
            return to_search(row) if row else None

    def losses_at(self, search: Search, steps: Sequence[int]) -> dict[int, list[float]]:
        """Return the held-out cross-entropy at these steps of the trials that ran to their end, by step."""
        with self._database.read() as connection:
            query = (
                select(run_progress.c.step, run_progress.c.validation_loss)
                .join(runs, runs.c.id == run_progress.c.run_id)
                .where(runs.c.search == search.id, runs.c.state == "succeeded", run_progress.c.step.in_(steps))
                .where(run_progress.c.validation_loss.is_not(None))
            )
            losses: dict[int, list[float]] = {}
            for step, loss in connection.execute(query):
                losses.setdefault(step, []).append(loss)
            return losses

    def queue_trials(
        self, search: Search, after: int, recipes: Sequence[Recipe], prune_above: Mapping[int, float]
    ) -> bool:
        """Queue the next trials of a search; return whether nobody else did, nor cancelled it.

        Args:
            search: that is running.
            after: the number of its last trial, 0 if there is none.
            recipes: of the new trials, in their order.
            prune_above: the held-out cross-entropy above which they end early, by step.
        """
        with self._database.write() as connection:
            last = connection.scalar(select(func.max(runs.c.trial)).where(runs.c.search == search.id)) or 0
            if last != after or _read_search(connection, search.id).state != "running":
                return False
            for number, recipe in enumerate(recipes, after + 1):
                values = {"search": search.id, "trial": number, "dataset": search.plan.dataset}
                run = add_run(connection, recipe, "never", values=values)
                limits = {str(step): loss for step, loss in prune_above.items()}
                connection.execute(insert(trials).values(run_id=run.id, prune_above=limits))
            return True

    def end(self, search: Search, state: SearchState, error: str | None = None) -> None:
        """End a search, unless it has ended."""
        with self._database.write() as connection:
            _end(connection, search.id, state, error)

    def start_trial(self, lease: Lease, validation_images: int) -> dict[int, float]:
        """Record the number of held-out images of a trial; return the cross-entropy above which it is pruned, by step.

        Raises:
            LeaseLostError: the lease was lost.
        """
        with self._database.write(lock=None) as connection:
            update_leased(connection, lease, {})
            is_this = trials.c.run_id == lease.run.id
            connection.execute(update(trials).where(is_this).values(validation_images=validation_images))
            limits = connection.scalar(select(trials.c.prune_above).where(is_this)) or {}
            return {int(step): loss for step, loss in limits.items()}

    def prune_trial(self, lease: Lease, step: int, reason: str) -> None:
        """End a trial early.

        Raises:
            LeaseLostError: the lease was lost.
        """
        with self._database.write(lock=None) as connection:
            update_leased(connection, lease, {})
            connection.execute(update(trials).where(trials.c.run_id == lease.run.id).values(pruned_at=step))
            end_run(connection, lease.run.id, {"state": "cancelled", "decision": reason})


def _read_search(connection: Connection, search_id: int) -> Search:
    row = connection.execute(select(searches).where(searches.c.id == search_id)).one_or_none()
    if row is None:
        raise UnknownSearchError(f"there is no search {search_id}")
    return to_search(row)


def _end(connection: Connection, search_id: int, state: SearchState, error: str | None) -> None:
    values = {"state": state, "error": error, "finished_at": database_time(connection)}
    is_running = (searches.c.id == search_id) & (searches.c.state == "running")
    connection.execute(update(searches).where(is_running).values(values))


def _same_plan(search: Search, plan: SearchPlan) -> Search:
    if search.plan != plan:
        different = [name for name, value in asdict(plan).items() if asdict(search.plan)[name] != value]
        raise SearchNameError(
            f"search {search.id} has the name {search.name!r} and another {' and '.join(different)}: take another name"
        )
    return search
