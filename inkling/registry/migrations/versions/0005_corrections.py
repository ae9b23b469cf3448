"""Corrections: pictures with the digits that people say they show; and predictions that may still be corrected."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "corrections",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("image", sa.LargeBinary, nullable=False),
        sa.Column("label", sa.Integer),
        sa.Column("version", sa.Integer),
        sa.Column("digit", sa.Integer),
        sa.Column("confidence", sa.Float),
        sa.Column("is_digit", sa.Boolean),
        sa.Column("is_correct", sa.Boolean),
        sa.Column("source", sa.String(64)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("prediction_id", sa.String(32), unique=True),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_corrections_version", "corrections", ["version", "id", "is_correct"])
    for name in ("label", "is_correct", "source"):
        op.create_index(f"ix_corrections_{name}", "corrections", [name, "id"])
    op.create_table(
        "remembered_predictions",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("prediction_id", sa.String(32), nullable=False, unique=True),
        sa.Column("image", sa.LargeBinary, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("digit", sa.Integer, nullable=False),
        sa.Column("confidence", sa.Float, nullable=False),
        sa.Column("is_digit", sa.Boolean),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sqlite_autoincrement=True,
    )
