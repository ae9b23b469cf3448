"""Runs, their progress, versions and promotions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _create_versions()
    _create_runs()
    _create_promotions()


def _create_versions() -> None:
    op.create_table(
        "versions",
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("run_id", sa.Integer),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("checkpoint", sa.LargeBinary, nullable=False),
        sa.Column("evaluation", sa.JSON, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("origin", sa.String(16), nullable=False),
        sqlite_autoincrement=True,
    )


def _create_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("recipe", sa.JSON, nullable=False),
        sa.Column("promote", sa.String(16), nullable=False),
        sa.Column("idempotency_key", sa.String(255), unique=True),
        sa.Column("requested_at", TIME, nullable=False),
        sa.Column("started_at", TIME),
        sa.Column("finished_at", TIME),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("total_steps", sa.Integer, nullable=False),
        sa.Column("lease_token", sa.String(64)),
        sa.Column("lease_expires_at", TIME),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("error_type", sa.String(64)),
        sa.Column("error", sa.Text),
        sa.Column("decision", sa.Text),
        sa.Column("version", sa.Integer, sa.ForeignKey("versions.version")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_runs_state", "runs", ["state"])
    op.create_table(
        "run_progress",
        sa.Column("run_id", sa.Integer, sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("step", sa.Integer, primary_key=True),
        sa.Column("loss", sa.Float, nullable=False),
        sa.Column("accuracy", sa.Float, nullable=False),
        sa.Column("validation_accuracy", sa.Float),
        sa.Column("elapsed_s", sa.Float, nullable=False),
    )


def _create_promotions() -> None:
    op.create_table(
        "promotions",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("version", sa.Integer, sa.ForeignKey("versions.version"), nullable=False),
        sa.Column("promoted_at", TIME, nullable=False),
        sa.Column("policy", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
