"""Versions in the database, with their checkpoint files, and the history of promotions."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Literal

from sqlalchemy import Connection, Select, delete, insert, select, update

from inkling.errors import OtherDatasetError, PromotionMovedError, ServedVersionError, UnknownVersionError
from inkling.network.checkpoint import Checkpoint
from inkling.network.evaluation import Evaluation
from inkling.network.learned_dataset import LearnedDataset
from inkling.registry.database import Database
from inkling.registry.quota import VersionQuota
from inkling.registry.records import Decision, DeletedBy, MeasuredBy, Promotion, Version
from inkling.registry.rows import class_names, database_time, newest_rows, to_promotion, to_version
from inkling.registry.tables import checkpoints, promotions, versions

MAX_DATASET = 64
"""Characters of a dataset's name that are kept; a card's may be longer."""

DecisionRule = Callable[[bytes | None], Decision]
"""Decides on a new version, given the checkpoint file of the served one (None in an empty registry)."""


class Versions:
    """The versions and promotions of a registry. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_first(self, checkpoint: Checkpoint) -> None:
        """Add and promote the shipped checkpoint if the registry has no version."""
        with self._database.read() as connection:
            if _has_versions(connection):
                return
        with self._database.write() as connection:
            if not _has_versions(connection):
                version = add_version(connection, checkpoint, "shipped", measured_by="release")
                decision = Decision(is_promoted=True, reason="the version that Inkling ships with")
                record_decision(connection, version.version, "shipped", decision)

    def add_upload(
        self, checkpoint: Checkpoint, evaluation: Evaluation | None = None, quota: VersionQuota | None = None
    ) -> Version:
        """Add a checkpoint without promoting it; for a file that is a version already, return that version.

        Args:
            checkpoint: loaded, and so verified.
            evaluation: measured on test images; without it, the version has none, whatever its card claims.
            quota: the limits on versions; None: none.

        Raises:
            VersionQuotaError: the registry is full.
        """
        with self._database.write() as connection:
            if same := _read_same(connection, checkpoint.digest):
                return same
            if quota:
                quota.require_room(connection, len(checkpoint.content))
            measured_by: MeasuredBy | None = "server" if evaluation else None
            return add_version(connection, checkpoint, "upload", measured_by=measured_by, evaluation=evaluation)

    def find(self, digest: str) -> Version | None:
        """Return the oldest version whose checkpoint file has this SHA-256, None if there is none."""
        with self._database.read() as connection:
            return _read_same(connection, digest)

    def require_room(self, quota: VersionQuota, size_bytes: int = 0) -> None:
        """Check that one more version may be added.

        Raises:
            VersionQuotaError: the registry is full.
        """
        with self._database.read() as connection:
            quota.require_room(connection, size_bytes)

    def delete(self, version: int) -> None:
        """Delete a version and its file. Its promotions and the run that made it stay, and name it.

        Raises:
            UnknownVersionError: there is no such version.
            ServedVersionError: it is served.
        """
        with self._database.write() as connection:
            read_version(connection, version)
            served = read_served(connection)
            if served is not None and served.version == version:
                raise ServedVersionError(f"version {version} is served: promote another one first")
            drop_version(connection, version, "request")

    def get(self, version: int) -> Version:
        """Return a version.

        Raises:
            UnknownVersionError: there is no such version.
        """
        with self._database.read() as connection:
            return read_version(connection, version)

    def newest(self, limit: int, before: int | None = None) -> list[Version]:
        """Return the newest versions, newest first; if `before` is given, only those with a smaller number."""
        with self._database.read() as connection:
            rows = newest_rows(connection, versions, versions.c.version, limit, before)
            return [to_version(row) for row in rows]

    def fallbacks(self) -> list[int]:
        """Return the versions in the order in which they stand in for a served one that does not load.

        First those that were promoted, the last promoted one first; then the others, newest first. None that learned
        another dataset: its answers would mean something else.
        """
        with self._database.read() as connection:
            return read_fallbacks(connection)

    def checkpoint(self, version: int) -> bytes:
        """Return the checkpoint file of a version.

        Raises:
            UnknownVersionError: there is no such version.
        """
        with self._database.read() as connection:
            return read_checkpoint(connection, version)

    def promote(
        self, version: int, reason: str, if_promotion: int | None = None, *, across_datasets: bool = False
    ) -> Promotion:
        """Serve a version from now on. Promoting the served version again changes nothing.

        Args:
            version: its number.
            reason: for the history of promotions.
            if_promotion: the id of the newest promotion that the caller knows; None: promote in any case.
            across_datasets: promote it even if the served version learned another dataset, so that answers change
                their meaning.

        Raises:
            UnknownVersionError: there is no such version.
            PromotionMovedError: `if_promotion` is not the newest promotion.
            OtherDatasetError: the served version learned another dataset.
        """
        with self._database.write() as connection:
            promoted = read_version(connection, version)
            served = read_served(connection)
            found = served.id if served else None
            if if_promotion is not None and if_promotion != found:
                raise PromotionMovedError(
                    f"promotion {found} is the newest, not {if_promotion}: another version was promoted in the meantime"
                )
            if served is not None and served.version == version:
                return served
            if served is not None and not across_datasets:
                _require_same_dataset(connection, promoted, served.version)
            return record_decision(connection, version, "manual", Decision(is_promoted=True, reason=reason), served)

    def served(self) -> Promotion | None:
        """Return the newest decision that promoted a version: this version is served."""
        with self._database.read() as connection:
            return read_served(connection)

    def look_at_served(self) -> Promotion | None:
        """Return the same as `served`, at the least cost: servers look twice per second."""
        rows = self._database.look(_served_query())
        return to_promotion(rows[0]) if rows else None

    def promotions(self, limit: int, before: int | None = None) -> list[Promotion]:
        """Return the newest decisions, newest first; if `before` is given, only those with a smaller id."""
        with self._database.read() as connection:
            return [to_promotion(row) for row in newest_rows(connection, promotions, promotions.c.id, limit, before)]


# The functions below run inside a transaction of their caller.


def add_version(
    connection: Connection,
    checkpoint: Checkpoint,
    origin: Literal["shipped", "run", "upload"],
    *,
    measured_by: MeasuredBy | None,
    run_id: int | None = None,
    evaluation: Evaluation | None = None,
) -> Version:
    row = connection.execute(
        insert(versions)
        .values(
            run_id=run_id,
            digest=checkpoint.digest,
            size_bytes=len(checkpoint.content),
            evaluation=(evaluation or checkpoint.card.evaluation).model_dump(),
            created_at=database_time(connection),
            origin=origin,
            measured_by=measured_by,
            dataset=checkpoint.card.dataset[:MAX_DATASET],
            classes=list(checkpoint.card.classes) if checkpoint.card.classes else None,
        )
        .returning(versions)
    ).one()
    write_checkpoint(connection, row.version, checkpoint.content)
    return to_version(row)


def write_checkpoint(connection: Connection, version: int, content: bytes) -> None:
    """Write the file of a version, in the place of the one that it may have."""
    connection.execute(delete(checkpoints).where(checkpoints.c.version == version))
    connection.execute(insert(checkpoints).values(version=version, content=content))


def drop_version(connection: Connection, version: int, by: DeletedBy) -> None:
    """Delete a version's file; its row stays, because promotions and runs name it."""
    connection.execute(delete(checkpoints).where(checkpoints.c.version == version))
    values = {"deleted_at": database_time(connection), "deleted_by": by}
    connection.execute(update(versions).where(versions.c.version == version).values(values))


def read_version(connection: Connection, version: int) -> Version:
    row = connection.execute(select(versions).where(versions.c.version == version)).one_or_none()
    if row is None:
        raise UnknownVersionError(f"there is no version {version}")
    if row.deleted_at:
        done = "pruned" if row.deleted_by == "prune" else "deleted"
        raise UnknownVersionError(f"version {version} was {done} at {row.deleted_at:%Y-%m-%d %H:%M} UTC")
    return to_version(row)


def _has_versions(connection: Connection) -> bool:
    return connection.execute(select(versions.c.version).limit(1)).first() is not None


def _read_same(connection: Connection, digest: str) -> Version | None:
    same = select(versions).where(versions.c.digest == digest, versions.c.deleted_at.is_(None))
    row = connection.execute(same.order_by(versions.c.version).limit(1)).one_or_none()
    return to_version(row) if row else None


def read_learned(connection: Connection, version: int) -> LearnedDataset:
    """Return the dataset that a version learned, also of one that was deleted."""
    row = connection.execute(select(versions.c.dataset, versions.c.classes).where(versions.c.version == version)).one()
    return LearnedDataset(row.dataset, class_names(row.classes))


def _require_same_dataset(connection: Connection, promoted: Version, served: int) -> None:
    learned = read_learned(connection, served)
    if not promoted.learned.is_same(learned):
        raise OtherDatasetError(
            f"version {promoted.version} learned {promoted.learned}, version {served}, which is served, {learned}: "
            "clients would get other answers"
        )


def read_fallbacks(connection: Connection) -> list[int]:
    served = read_served(connection)
    learned = read_learned(connection, served.version) if served else None
    promoted = select(promotions.c.version).where(promotions.c.is_promoted).order_by(promotions.c.id.desc())
    present = select(versions.c.version, versions.c.dataset, versions.c.classes).where(versions.c.deleted_at.is_(None))
    newest = dict.fromkeys(
        row.version
        for row in connection.execute(present.order_by(versions.c.version.desc()))
        if learned is None or learned.is_same(LearnedDataset(row.dataset, class_names(row.classes)))
    )
    return [version for version in dict.fromkeys([*connection.scalars(promoted), *newest]) if version in newest]


def read_checkpoint(connection: Connection, version: int) -> bytes:
    read_version(connection, version)
    content = connection.scalar(select(checkpoints.c.content).where(checkpoints.c.version == version))
    return bytes(content or b"")


def read_served(connection: Connection) -> Promotion | None:
    row = connection.execute(_served_query()).one_or_none()
    return to_promotion(row) if row else None


def _served_query() -> Select[Any]:
    return select(promotions).where(promotions.c.is_promoted).order_by(promotions.c.id.desc()).limit(1)


def record_decision(
    connection: Connection,
    version: int,
    policy: str,
    decision: Decision,
    compared_with: Promotion | None = None,
) -> Promotion:
    row = connection.execute(
        insert(promotions)
        .values(
            version=version,
            promoted_at=database_time(connection),
            policy=policy,
            reason=decision.reason,
            is_promoted=decision.is_promoted,
            compared_with=compared_with.version if compared_with else None,
            comparison=asdict(decision.comparison) if decision.comparison else None,
        )
        .returning(promotions)
    ).one()
    return to_promotion(row)
