"""The measurer and the deletion of versions; the last trouble of a run with its trainer."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

VERSIONS = sa.table(
    "versions",
    sa.column("version", sa.Integer),
    sa.column("origin", sa.String),
    sa.column("checkpoint", sa.LargeBinary),
    sa.column("evaluation", sa.JSON),
    sa.column("measured_by", sa.String),
)


def upgrade() -> None:
    op.add_column("versions", sa.Column("measured_by", sa.String(16)))
    op.add_column("versions", sa.Column("deleted_at", sa.DateTime(timezone=True)))
    op.add_column("runs", sa.Column("trouble", sa.Text))
    for origin, measured_by in (("shipped", "release"), ("run", "trainer")):
        op.execute(sa.update(VERSIONS).where(VERSIONS.c.origin == origin).values(measured_by=measured_by))
    connection = op.get_bind()
    uploads = sa.select(VERSIONS).where(VERSIONS.c.origin == "upload")
    measured = [row.version for row in connection.execute(uploads) if not _is_claim(row.evaluation, row.checkpoint)]
    connection.execute(sa.update(VERSIONS).where(VERSIONS.c.version.in_(measured)).values(measured_by="server"))


def _is_claim(evaluation: dict[str, Any], checkpoint: bytes) -> bool:
    """Return whether an upload's evaluation is the one on its own card, which nobody has checked.

    A server with test images has recorded what it measured instead.
    """
    length = int.from_bytes(checkpoint[:8], "little")
    try:
        card = json.loads(json.loads(checkpoint[8 : 8 + length])["__metadata__"]["inkling"])
        return all(evaluation.get(name) == value for name, value in card["evaluation"].items())
    except (ValueError, KeyError, TypeError, AttributeError):  # the file is damaged
        return True
