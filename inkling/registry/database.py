"""The database of the registry: its engine, its transactions, and the history of its schema."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event, inspect, make_url, text

from inkling.errors import RegistryError, SchemaError

REVISIONS = ("0001", "0002", "0003")
"""The schema's history, oldest first: the files of `migrations/versions`."""
POSTGRES_LOCK = 0x1_4E_4B
"""An arbitrary number for the advisory lock; no other program may use it in the same database."""
LOCK_TIMEOUT_S = 10


class Database:
    """The database at a SQLAlchemy URL, whose schema is upgraded when it is opened.

    There is one write transaction at a time, by SQLite's own lock or by an advisory lock of PostgreSQL, so what a
    transaction has read is still true when it writes. A write takes milliseconds, and there are a few per second; reads
    never wait for them.

    Raises:
        RegistryError: the driver is not installed.
        SchemaError: the database was made by a newer Inkling.
    """

    def __init__(self, url: str) -> None:
        is_sqlite = make_url(url).get_backend_name() == "sqlite"
        try:
            self._engine = create_engine(url, pool_pre_ping=True, connect_args={} if is_sqlite else _POSTGRES_OPTIONS)
        except ModuleNotFoundError as error:
            raise RegistryError(f"{error}; for PostgreSQL: pip install '.[postgres]'") from error
        if is_sqlite:
            Path(make_url(url).database or ".").parent.mkdir(parents=True, exist_ok=True)
            event.listen(self._engine, "connect", _configure_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        event.listen(self._engine, "checkin", self._close_if_late)
        self._is_closed = False
        try:
            self._upgrade()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close all connections; those that threads still use, when they return them."""
        self._is_closed = True
        self._engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that sees one state of the database and changes nothing."""
        with self._engine.connect() as connection:
            if self._engine.dialect.name == "postgresql":
                connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that is committed at the end, or rolled back if an exception is raised."""
        with self._engine.connect().execution_options(is_write=True) as connection, connection.begin():
            if self._engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": POSTGRES_LOCK})
            yield connection

    def _close_if_late(self, dbapi_connection: Any, _record: Any) -> None:
        if self._is_closed and dbapi_connection is not None:  # None: SQLAlchemy has closed it
            dbapi_connection.close()

    def _upgrade(self) -> None:
        with self.read() as connection:
            if _revision(connection) == REVISIONS[-1]:
                return
        with self.write() as connection:  # the first process upgrades; the others find it done
            found = _revision(connection)
            if found is not None and found not in REVISIONS:
                raise SchemaError(
                    f"the database is at revision {found}, made by a newer Inkling; "
                    f"this one knows up to {REVISIONS[-1]}: upgrade Inkling, or name another database"
                )
            _migrate(connection, found)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def _migrate(connection: Connection, found: str | None) -> None:
    from alembic import command  # noqa: PLC0415  0.2 s, which a start without an upgrade saves
    from alembic.config import Config  # noqa: PLC0415

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    if found is None and inspect(connection).has_table("runs"):  # created before the history began
        command.stamp(config, REVISIONS[0])
    command.upgrade(config, "head")


_POSTGRES_OPTIONS = {
    "connect_timeout": 5,
    # A client that stopped in a transaction, or whose machine is gone, must not keep its locks.
    "options": f"-c lock_timeout={LOCK_TIMEOUT_S}s -c idle_in_transaction_session_timeout=60s",
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}


def _configure_sqlite(dbapi_connection: Any, _record: Any) -> None:
    dbapi_connection.isolation_level = None  # the driver begins no transactions itself: `_begin_sqlite` does
    timeout_ms = LOCK_TIMEOUT_S * 1000
    for pragma in (f"busy_timeout={timeout_ms}", "synchronous=FULL", "foreign_keys=ON"):
        dbapi_connection.execute(f"PRAGMA {pragma}")
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while True:  # SQLite's busy timeout does not cover switching a new file to WAL
        try:
            dbapi_connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    # SQLite refuses at once, without waiting, to turn a read transaction into a write transaction.
    is_write = connection.get_execution_options().get("is_write", False)
    connection.execute(text("BEGIN IMMEDIATE" if is_write else "BEGIN"))
