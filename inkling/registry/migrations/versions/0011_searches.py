"""Searches: their plans, which runs are their trials, and the held-out cross-entropy by which trials are compared."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "searches",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("name", sa.String(64), unique=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("recipe", sa.JSON, nullable=False),
        sa.Column("space", sa.JSON, nullable=False),
        sa.Column("trials", sa.Integer, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("seed", sa.Integer, nullable=False),
        sa.Column("dataset", sa.String(64)),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("error", sa.Text),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_searches_state", "searches", ["state"])
    op.create_table(
        "trials",
        sa.Column("run_id", sa.Integer, sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("prune_above", sa.JSON, nullable=False),
        sa.Column("pruned_at", sa.Integer),
        sa.Column("validation_images", sa.Integer),
    )
    op.add_column("runs", sa.Column("search", sa.Integer))
    op.add_column("runs", sa.Column("trial", sa.Integer))
    op.create_index("ix_runs_search", "runs", ["search", "trial"], unique=True)
    op.add_column("run_progress", sa.Column("validation_loss", sa.Float))
