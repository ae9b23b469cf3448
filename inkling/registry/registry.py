"""The registry that servers and trainers share: runs, versions with their files, promotions, and corrections."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from inkling.network.checkpoint import Checkpoint
from inkling.registry.copies import back_up, contents, move, restore
from inkling.registry.corrections import Corrections
from inkling.registry.database import DEFAULT_LIMITS, Database, DatabaseLimits
from inkling.registry.records import Decision, Lease, Version
from inkling.registry.repair import repair
from inkling.registry.retention import Retention, prune
from inkling.registry.run_changes import end_run, update_leased
from inkling.registry.runs import Runs
from inkling.registry.searches import Searches
from inkling.registry.statistics import Statistics
from inkling.registry.verification import problems_of
from inkling.registry.versions import DecisionRule, Versions, add_version, read_checkpoint, read_served, record_decision
from inkling.settings import StoreSettings


class Registry:
    """The database at a SQLAlchemy URL, whose schema is upgraded when it is opened.

    Every method of `runs`, `searches`, `versions` and `corrections` is one transaction, so a kill at any moment leaves
    the state before it or the state after it; the same holds here, but `prune` and `shrink` are many transactions.

    Raises:
        DatabaseUrlError: the URL cannot be read.
        RegistryError: the database driver is not installed.
        SchemaError: the database was made by a newer Inkling.
    """

    def __init__(self, url: str, limits: DatabaseLimits = DEFAULT_LIMITS) -> None:
        self._database = Database(url, limits)
        self.runs = Runs(self._database)
        self.searches = Searches(self._database)
        self.versions = Versions(self._database)
        self.corrections = Corrections(self._database)
        self.statistics = Statistics(self._database)

    @classmethod
    def from_settings(cls, settings: StoreSettings) -> Self:
        limits = DatabaseLimits(settings.database_timeout_s, settings.database_connections)
        return cls(settings.registry_url, limits)

    def close(self) -> None:
        self._database.close()

    def hasten(self, silence_s: float) -> None:
        """From now on, wait for the next bytes of an answer of PostgreSQL no longer than this, also in open calls."""
        self._database.hasten(silence_s)

    def watch_errors(self, report: Callable[[str], None]) -> None:
        """Call `report` with the kind of each error of the database: the name of SQLAlchemy's exception."""
        self._database.watch_errors(report)

    def connections(self) -> tuple[int, int]:
        """Return the connections to the database that are in use and idle."""
        return self._database.connections()

    def publish(self, lease: Lease, checkpoint: Checkpoint, decide: DecisionRule) -> Version:
        """Add a run's version, end the run, and record the decision whether the version is served, all or nothing.

        The decision is prepared before the transaction, so that nobody waits for the comparison. If another version is
        served by then, it is taken again, inside: versions are published one after the other, and each is compared with
        the one served at that moment.

        Raises:
            LeaseLostError: the lease was lost; nothing is published.
        """
        expected, prepared = self._prepare_decision(decide)
        with self._database.write() as connection:
            update_leased(connection, lease, {})
            version = add_version(connection, checkpoint, "run", measured_by="trainer", run_id=lease.run.id)
            served = read_served(connection)
            if prepared is not None and served is not None and served.version == expected:
                decision = prepared
            else:
                decision = decide(read_checkpoint(connection, served.version) if served else None)
            values = {
                "state": "succeeded",
                "step": lease.run.total_steps,
                "version": version.version,
                "decision": decision.reason,
            }
            end_run(connection, lease.run.id, values)
            record_decision(connection, version.version, lease.run.promote, decision, served)
            return version

    def _prepare_decision(self, decide: DecisionRule) -> tuple[int | None, Decision | None]:
        """Return the served version and the decision against it; None for both in an empty registry."""
        with self._database.read() as connection:
            served = read_served(connection)
            content = read_checkpoint(connection, served.version) if served else None
        return (served.version, decide(content)) if served else (None, None)

    def repair(self, shipped: Checkpoint) -> list[str]:
        """Repair what can be repaired; return what was done, one sentence each.

        Args:
            shipped: the network that ships, for a registry in which no version loads.
        """
        with self._database.write() as connection:
            return list(repair(connection, shipped))

    def verify(self) -> list[str]:
        """Return the inconsistencies, one sentence each; an empty list if there are none."""
        with self._database.read() as connection:
            self._database.allow_long(connection)
            return problems_of(connection)

    def contents(self) -> str:
        """Return in words how many versions, runs and corrections there are; an empty text if there are none."""
        with self._database.read() as connection:
            return contents(connection)

    def back_up(self, file: Path) -> list[str]:
        """Write the state of this moment to a file; return its inconsistencies. See `copies.back_up`."""
        return back_up(self._database, file)

    def restore(self, file: Path, folder: Path) -> None:
        """Replace everything with the content of a backup. See `copies.restore`."""
        restore(file, self._database, folder)

    def copy_to(self, other: "Registry") -> list[str]:
        """Copy everything into an empty registry; return the inconsistencies of the copy. See `copies.move`."""
        return move(self._database, other._database)

    def prune(self, retention: Retention, *, is_dry_run: bool = False) -> Iterator[str]:
        """Delete what is not kept, and yield it, one sentence each. See `retention.prune`."""
        return prune(self._database, retention, is_dry_run=is_dry_run)

    def shrink(self) -> None:
        """Give back the space of deleted rows to the disk. See `Database.shrink`."""
        self._database.shrink()

    def size_bytes(self) -> int:
        """Return the bytes of the database on its disk."""
        return self._database.size_bytes()
