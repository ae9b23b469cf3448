"""The stages of runs, with the time at which each began."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("runs", sa.Column("stages", sa.JSON(none_as_null=True)))
