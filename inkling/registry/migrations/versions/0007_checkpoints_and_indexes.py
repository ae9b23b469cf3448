"""The checkpoint files in a table of their own, who deleted a version, and indexes for registries of many years."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

COPY = "INSERT INTO checkpoints (version, content) SELECT version, checkpoint FROM versions WHERE deleted_at IS NULL"


def upgrade() -> None:
    op.create_table(
        "checkpoints",
        sa.Column("version", sa.Integer, sa.ForeignKey("versions.version"), primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.add_column("versions", sa.Column("size_bytes", sa.Integer, nullable=False, server_default="0"))
    op.add_column("versions", sa.Column("deleted_by", sa.String(16)))
    op.execute("UPDATE versions SET size_bytes = length(checkpoint)")
    op.execute(COPY)
    op.drop_column("versions", "checkpoint")
    op.create_index("ix_versions_deleted_at", "versions", ["deleted_at", "version", "size_bytes"])
    op.create_index("ix_versions_digest", "versions", ["digest"])
    op.create_index("ix_runs_version", "runs", ["version"])
    op.create_index("ix_promotions_is_promoted", "promotions", ["is_promoted", "id"])
