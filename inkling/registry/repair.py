"""The repair of a registry: what can be mended without asking anybody, in one transaction."""

import hashlib
from collections.abc import Iterator

from sqlalchemy import Connection, select

from inkling.errors import CheckpointError
from inkling.network import checkpoint
from inkling.network.checkpoint import Checkpoint
from inkling.registry.records import Decision
from inkling.registry.rows import database_time
from inkling.registry.run_changes import requeue
from inkling.registry.tables import runs, versions
from inkling.registry.versions import (
    add_version,
    drop_version,
    read_checkpoint,
    read_fallbacks,
    read_served,
    record_decision,
    write_checkpoint,
)


def repair(connection: Connection, shipped: Checkpoint) -> Iterator[str]:
    """Repair what can be repaired, and yield what was done, one sentence each.

    Damaged versions are dropped. If the served one is among them, the last promoted one that loads is promoted, or any
    other, or else the network that ships. Runs whose trainer is gone are queued again.
    """
    damaged = set()
    present = select(versions.c.version, versions.c.digest).where(versions.c.deleted_at.is_(None))
    for row in connection.execute(present.order_by(versions.c.version)).all():
        if reason := _damage(read_checkpoint(connection, row.version), row.digest):
            if row.digest == shipped.digest:
                write_checkpoint(connection, row.version, shipped.content)
                yield f"version {row.version} was damaged ({reason}): replaced by the file that ships"
            else:
                damaged.add(row.version)
                yield f"version {row.version} is dropped: {reason}"
    yield from _promote_another(connection, damaged, shipped)
    for version in damaged:
        drop_version(connection, version, "repair")
    yield from _requeue_stuck(connection)


def _damage(content: bytes, digest: str) -> str | None:
    try:
        checkpoint.load(content)
    except CheckpointError as error:
        return str(error).partition("\n")[0]
    found = hashlib.sha256(content).hexdigest()
    return None if found == digest else f"its SHA-256 is {found}, recorded was {digest}"


def _promote_another(connection: Connection, damaged: set[int], shipped: Checkpoint) -> Iterator[str]:
    served = read_served(connection)
    candidates = [version for version in read_fallbacks(connection) if version not in damaged]
    if served is not None and served.version in candidates:
        return
    if candidates:
        version = candidates[0]
    else:
        version = add_version(connection, shipped, "shipped", measured_by="release").version
        yield f"version {version} is added: the network that ships"
    decision = Decision(is_promoted=True, reason="promoted by inkling verify --repair: the served version was damaged")
    record_decision(connection, version, "manual", decision, served)
    yield f"version {version} is promoted"


def _requeue_stuck(connection: Connection) -> Iterator[str]:
    expired = (
        runs.c.lease_expires_at.is_(None)
        | (runs.c.lease_expires_at <= database_time(connection))
        | runs.c.lease_token.is_(None)
    )
    stuck = select(runs).where(runs.c.state == "running", expired).with_for_update(skip_locked=True)
    for row in connection.execute(stuck).all():
        requeue(connection, row.id, attempt=row.attempt, token=row.lease_token)
        yield f"run {row.id} is queued again: no trainer has it"
