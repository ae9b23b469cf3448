"""The preparation of a run: the work of its trainer before the first step, in words."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("runs", sa.Column("preparing", sa.Text))
