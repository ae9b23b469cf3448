"""Connections to a SQLite file: their pragmas and transactions, and files that can only be read."""

import logging
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event, text

from inkling.registry.network_file_systems import network_file_system

logger = logging.getLogger(__name__)


def listen(engine: Engine, file: Path | None, timeout_s: float) -> None:
    """Prepare the connections of an engine.

    Args:
        engine: of the database.
        file: None of a database in memory.
        timeout_s: the longest wait for a lock.
    """
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        _warn_of_network(file)
        event.listen(engine, "do_connect", lambda _dialect, _record, *parameters: _open_read_only(file, *parameters))
    event.listen(engine, "connect", lambda connection, _record: _configure(connection, file, timeout_s))
    event.listen(engine, "begin", _begin)


def can_be_written(file: Path) -> bool:
    """Return whether this user can write a file and its folder, as SQLite must for a transaction that writes."""
    return os.access(file.parent, os.W_OK) and (not file.exists() or os.access(file, os.W_OK))


def _warn_of_network(file: Path) -> None:
    if kind := network_file_system(file.resolve()):
        logger.warning(
            "the database file %s is on a network file system (%s), where SQLite's locks may fail: two machines that "
            "use it may damage it. Put the data directory on a local disk, or use PostgreSQL",
            file,
            kind,
        )


def _open_read_only(file: Path, arguments: list[Any], parameters: dict[str, Any]) -> None:
    """Have a file that cannot be written be opened for reading.

    Even to read it, SQLite makes files beside a database in WAL mode, unless it is called immutable. That it is if
    nobody writes to it: who does has a `-wal` file beside it.
    """
    if can_be_written(file):
        return
    is_used = file.with_name(f"{file.name}-wal").exists()
    arguments[:] = [f"{file.as_uri()}?{'mode=ro' if is_used else 'immutable=1'}"]
    parameters["uri"] = True


def _configure(dbapi_connection: Any, file: Path | None, timeout_s: float) -> None:
    dbapi_connection.isolation_level = None  # the driver begins no transactions itself: `_begin` does
    for pragma in (f"busy_timeout={round(1000 * timeout_s)}", "synchronous=FULL", "foreign_keys=ON"):
        dbapi_connection.execute(f"PRAGMA {pragma}")
    if file and not can_be_written(file):
        return
    deadline = time.monotonic() + timeout_s
    while True:  # SQLite's busy timeout does not cover switching a new file to WAL
        try:
            if dbapi_connection.execute("PRAGMA page_count").fetchone() == (0,):
                dbapi_connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # for `shrink`; only new files take it
            dbapi_connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _begin(connection: Connection) -> None:
    # SQLite refuses at once, without waiting, to turn a read transaction into a write transaction.
    is_write = connection.get_execution_options().get("is_write", False)
    connection.execute(text("BEGIN IMMEDIATE" if is_write else "BEGIN"))
