"""Snapshots from which runs are resumed; and a history of promotions that records refusals too, with the scores."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "run_snapshots",
        sa.Column("run_id", sa.Integer, sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("state", sa.LargeBinary, nullable=False),
    )
    op.add_column("promotions", sa.Column("is_promoted", sa.Boolean, nullable=False, server_default=sa.true()))
    op.add_column("promotions", sa.Column("compared_with", sa.Integer))
    op.add_column("promotions", sa.Column("comparison", sa.JSON))
