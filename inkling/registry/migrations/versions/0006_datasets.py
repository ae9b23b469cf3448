"""The datasets of versions and runs: their names, and the names of their classes."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("versions", sa.Column("dataset", sa.String(64)))
    op.add_column("versions", sa.Column("classes", sa.JSON(none_as_null=True)))
    op.add_column("runs", sa.Column("dataset", sa.String(64)))
