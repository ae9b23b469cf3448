"""The tables of the registry, as the newest migration leaves them."""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    true,
)

metadata = MetaData()


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time, stored and returned in UTC: SQLite does not store time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value and (value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC))


runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("state", String(16), nullable=False, index=True),
    Column("recipe", JSON, nullable=False),
    Column("promote", String(16), nullable=False),
    Column("idempotency_key", String(255), unique=True),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("step", Integer, nullable=False),
    Column("total_steps", Integer, nullable=False),
    Column("lease_token", String(64)),
    Column("lease_expires_at", UtcDateTime),
    Column("attempt", Integer, nullable=False),
    Column("error_type", String(64)),
    Column("error", Text),
    Column("decision", Text),
    Column("version", Integer, ForeignKey("versions.version"), index=True),
    Column("trouble", Text),
    Column("preparing", Text),
    Column("dataset", String(64)),
    Column("stages", JSON(none_as_null=True)),
    Column("search", Integer),
    Column("trial", Integer),
    Index("ix_runs_search", "search", "trial", unique=True),
    sqlite_autoincrement=True,
)

run_progress = Table(
    "run_progress",
    metadata,
    Column("run_id", Integer, ForeignKey("runs.id"), primary_key=True),
    Column("step", Integer, primary_key=True),
    Column("loss", Float, nullable=False),
    Column("accuracy", Float, nullable=False),
    Column("validation_accuracy", Float),
    Column("elapsed_s", Float, nullable=False),
    Column("validation_loss", Float),
)

run_snapshots = Table(
    "run_snapshots",
    metadata,
    Column("run_id", Integer, ForeignKey("runs.id"), primary_key=True),
    Column("step", Integer, nullable=False),
    Column("state", LargeBinary, nullable=False),
)

run_weights = Table(  # only of runs that are being trained
    "run_weights",
    metadata,
    Column("run_id", Integer, ForeignKey("runs.id"), primary_key=True),
    Column("step", Integer, nullable=False),
    Column("largest", Float, nullable=False),
    Column("content", LargeBinary, nullable=False),
)

searches = Table(
    "searches",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", String(64), unique=True),
    Column("state", String(16), nullable=False, index=True),
    Column("recipe", JSON, nullable=False),
    Column("space", JSON, nullable=False),
    Column("trials", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("dataset", String(64)),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("error", Text),
    sqlite_autoincrement=True,
)

trials = Table(  # what the run of a trial has beside other runs
    "trials",
    metadata,
    Column("run_id", Integer, ForeignKey("runs.id"), primary_key=True),
    Column("prune_above", JSON, nullable=False),
    Column("pruned_at", Integer),
    Column("validation_images", Integer),
)

versions = Table(
    "versions",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=True),
    Column("run_id", Integer),
    Column("digest", String(64), nullable=False, index=True),
    Column("size_bytes", Integer, nullable=False, server_default="0"),
    Column("evaluation", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("origin", String(16), nullable=False),
    Column("measured_by", String(16)),
    Column("deleted_at", UtcDateTime),
    Column("dataset", String(64)),
    Column("classes", JSON(none_as_null=True)),
    Column("deleted_by", String(16)),
    # the newest versions that are there, and the bytes that they take
    Index("ix_versions_deleted_at", "deleted_at", "version", "size_bytes"),
    sqlite_autoincrement=True,
)

checkpoints = Table(  # apart from the versions, of which lists and counts then read few bytes
    "checkpoints",
    metadata,
    Column("version", Integer, ForeignKey("versions.version"), primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

corrections = Table(
    "corrections",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("image", LargeBinary, nullable=False),
    Column("label", Integer),
    Column("version", Integer),
    Column("digit", Integer),
    Column("confidence", Float),
    Column("is_digit", Boolean),
    Column("is_correct", Boolean),
    Column("source", String(64)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("prediction_id", String(32), unique=True),
    # each filter of the list, newest first; the first one also counts the right answers of each version
    Index("ix_corrections_version", "version", "id", "is_correct"),
    Index("ix_corrections_label", "label", "id"),
    Index("ix_corrections_is_correct", "is_correct", "id"),
    Index("ix_corrections_source", "source", "id"),
    sqlite_autoincrement=True,
)

remembered_predictions = Table(
    "remembered_predictions",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("prediction_id", String(32), nullable=False, unique=True),
    Column("image", LargeBinary, nullable=False),
    Column("version", Integer, nullable=False),
    Column("digit", Integer, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("is_digit", Boolean),
    Column("created_at", UtcDateTime, nullable=False),
    sqlite_autoincrement=True,
)

promotions = Table(
    "promotions",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("version", Integer, ForeignKey("versions.version"), nullable=False),
    Column("promoted_at", UtcDateTime, nullable=False),
    Column("policy", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("is_promoted", Boolean, nullable=False, server_default=true()),
    Column("compared_with", Integer),
    Column("comparison", JSON(none_as_null=True)),
    Index("ix_promotions_is_promoted", "is_promoted", "id"),
    sqlite_autoincrement=True,
)
