"""The first layer's weights of the runs that are trained, as they are now: what the page draws."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "run_weights",
        sa.Column("run_id", sa.Integer, sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("largest", sa.Float, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
