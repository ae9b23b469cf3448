"""The database under the registry: its engine, and its transactions."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event, make_url, text

from training.tables import metadata


class Database:
    """Opens a SQLAlchemy URL and makes the tables when they are missing."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url)
        if self._engine.dialect.name == "sqlite":
            Path(make_url(url).database or ".").parent.mkdir(parents=True, exist_ok=True)
            event.listen(self._engine, "connect", _configure_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        with self.write() as connection:
            metadata.create_all(connection)

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that sees one state of the database and changes nothing."""
        with self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that is committed at the end, or rolled back when something is raised."""
        with self._engine.connect().execution_options(is_write=True) as connection, connection.begin():
            yield connection


def _configure_sqlite(dbapi_connection: Any, _record: Any) -> None:
    dbapi_connection.isolation_level = None  # the driver begins nothing by itself: `_begin_sqlite` does
    for pragma in ("busy_timeout=10000", "synchronous=FULL", "foreign_keys=ON"):
        dbapi_connection.execute(f"PRAGMA {pragma}")
    deadline = time.monotonic() + 10
    while True:  # SQLite's busy timeout does not cover the switch of a new file to WAL
        try:
            dbapi_connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    # A writer that began as a reader could not wait for its turn: SQLite would refuse it at once.
    is_write = connection.get_execution_options().get("is_write", False)
    connection.execute(text("BEGIN IMMEDIATE" if is_write else "BEGIN"))
