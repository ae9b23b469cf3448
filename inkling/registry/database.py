"""The database of the registry: its engine, its transactions, and the history of its schema."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    ExceptionContext,
    QueuePool,
    Row,
    Select,
    create_engine,
    event,
    func,
    inspect,
    select,
    text,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from inkling.errors import DatabaseFileError, RegistryError, SchemaError
from inkling.registry.call_spans import as_span
from inkling.registry.database_url import parse_database_url, visible_url
from inkling.registry.space import has_much_space, shrink_sqlite
from inkling.registry.sqlite_connections import listen

if TYPE_CHECKING:
    from inkling.registry.postgres import Patience

logger = logging.getLogger(__name__)

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0010", "0011", "0012")
"""The schema's history, oldest first: the files of `migrations/versions`."""
FIRST_TABLES = {"runs", "run_progress", "versions", "promotions"}
"""The tables of the releases before the history began."""
WRITES, CLAIMS = 0x1_4E_4B, 0x1_4E_4C
"""Advisory locks of PostgreSQL, of arbitrary numbers; no other program may use them in the same database."""
IDLE_CONNECTIONS = 5
"""Connections that are kept open while nobody uses them."""
LONG_S = 3600.0
"""The longest that PostgreSQL may take for one statement of an upgrade, a check or a copy."""


@dataclass(frozen=True)
class DatabaseLimits:
    timeout_s: float = 10.0
    """The longest wait for a lock, for a free connection, or for the next bytes of an answer."""
    connections: int = 15
    """The most connections that are open at the same time."""


DEFAULT_LIMITS = DatabaseLimits()


class Database:
    """The database at a SQLAlchemy URL, whose schema is upgraded when it is opened.

    There is one write transaction at a time, by SQLite's own lock or by an advisory lock of PostgreSQL, so what a
    transaction has read is still true when it writes. On PostgreSQL two kinds need not wait for the others: claims have
    an advisory lock of their own, and what a trainer writes to its own run is guarded by the lock on the run's row. A
    write takes milliseconds; reads never wait for them.

    Raises:
        DatabaseUrlError: the URL cannot be read.
        RegistryError: the driver is not installed.
        SchemaError: the database was made by a newer Inkling.
    """

    def __init__(self, url: str, limits: DatabaseLimits = DEFAULT_LIMITS) -> None:
        parsed = parse_database_url(url)
        self._visible_url = visible_url(url)
        self._limits = limits
        self._patience: Patience | None = None
        self._is_postgres = parsed.get_backend_name() == "postgresql"
        is_file = not self._is_postgres and parsed.database not in (None, "", ":memory:")
        self.file = Path(parsed.database or "").absolute() if is_file else None
        """The file of a SQLite database; None of any other and of one in memory."""
        if self._is_postgres:
            self._engine, self._patience = _postgres_engine(parsed, limits)
        else:
            self._engine = create_engine(parsed, **(_pool_options(limits) if self.file else {}))
            self._prepare_sqlite()
        event.listen(self._engine, "checkin", self._close_if_late)
        self._file_id: tuple[int, int] | None = None
        self._is_closed = False
        try:
            self._upgrade()
            self._file_id = self._found_file_id()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close all connections; those that threads still use, when they return them."""
        self._is_closed = True
        self._engine.dispose()

    def hasten(self, silence_s: float) -> None:
        """From now on, wait for the next bytes of an answer of PostgreSQL no longer than this, also in open calls."""
        if self._patience:
            self._patience.shorten(silence_s)

    @as_span
    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that sees one state of the database and changes nothing."""
        with self._engine.connect() as connection:
            if self._is_postgres:
                connection.execution_options(isolation_level="REPEATABLE READ")
                self._begin_postgres(connection)
            yield connection

    def look(self, query: Select[Any]) -> Sequence[Row[Any]]:
        """Run a query that is a transaction by itself, at the least cost: for what is asked again and again."""
        if self._is_postgres:
            from inkling.registry.postgres import run_alone  # noqa: PLC0415  the driver, of an extra

            return run_alone(self._engine, query)
        with self._engine.connect() as connection:
            return connection.execute(query).all()

    @as_span
    @contextmanager
    def write(self, lock: int | None = WRITES) -> Iterator[Connection]:
        """Open a transaction that is committed at the end, or rolled back if an exception is raised.

        Args:
            lock: the advisory lock on PostgreSQL: WRITES, CLAIMS, or None for a transaction that first locks the row
                of its run. SQLite has one lock for all.

        Raises:
            DatabaseFileError: the file was deleted or replaced, or its folder cannot be written.
        """
        self._require_file()
        with self._engine.connect().execution_options(is_write=True) as connection, connection.begin():
            if self._is_postgres:
                self._begin_postgres(connection)
                if lock is not None:
                    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": lock})
            yield connection

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    def watch_errors(self, report: Callable[[str], None]) -> None:
        """Call `report` with the kind of each error: the name of SQLAlchemy's exception."""

        def note(context: ExceptionContext) -> None:
            report(type(context.sqlalchemy_exception or context.original_exception).__name__)

        event.listen(self._engine, "handle_error", note)

    def connections(self) -> tuple[int, int]:
        """Return the connections that are in use and idle."""
        pool = self._engine.pool
        return (pool.checkedout(), pool.checkedin()) if isinstance(pool, QueuePool) else (0, 0)

    def shrink(self) -> None:
        """Give back the space of deleted rows to the disk.

        Raises:
            SQLAlchemyError: another program kept its lock, or the disk is full; nothing is lost.
        """
        if self.file:
            shrink_sqlite(self.file)
        elif self._is_postgres:
            from inkling.registry.postgres import shrink  # noqa: PLC0415  the driver, of an extra

            shrink(self._engine, LONG_S)

    def shrink_if_large(self) -> None:
        """Give back the space of deleted rows if there is much of it. PostgreSQL writes new rows there meanwhile.

        Raises:
            SQLAlchemyError: as `shrink`.
        """
        if self.file and has_much_space(self.file):
            shrink_sqlite(self.file)

    def allow_long(self, connection: Connection) -> None:
        """Let the statements of this transaction take an hour each."""
        if self._is_postgres:
            from inkling.registry.postgres import allow_silence  # noqa: PLC0415  the driver, of an extra

            allow_silence(connection, LONG_S)

    def size_bytes(self) -> int:
        """Return the bytes of the database on its disk; 0 of one in memory."""
        if self._is_postgres:
            ((size,),) = self.look(select(func.pg_database_size(func.current_database())))
            return int(size)
        if self.file is None:
            return 0
        files = (self.file.with_name(self.file.name + suffix) for suffix in ("", "-wal", "-shm"))
        return sum(file.stat().st_size for file in files if file.exists())

    def _prepare_sqlite(self) -> None:
        event.listen(self._engine, "do_connect", self._check_before_connect)
        listen(self._engine, self.file, self._limits.timeout_s)

    def _begin_postgres(self, connection: Connection) -> None:
        from inkling.registry.postgres import begin_bounded  # noqa: PLC0415  the driver, of an extra

        begin_bounded(connection, self._limits.timeout_s)

    def _require_file(self) -> None:
        """Check that the file is still the one that was opened: SQLite writes on to a deleted one without an error."""
        if self.file is None or self._file_id is None:
            return
        found = self._found_file_id()
        if found != self._file_id:
            raise DatabaseFileError(
                f"the database file {self.file} was {'replaced' if found else 'deleted'} while it was in use, and "
                "what is written now would be lost: put it back, or restart to use what is there"
            )
        if not os.access(self.file.parent, os.W_OK):
            raise DatabaseFileError(
                f"the folder {self.file.parent} of the database cannot be written by this user: make it writable"
            )

    def _found_file_id(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self.file) if self.file else None
        except FileNotFoundError:
            return None
        return (found.st_dev, found.st_ino) if found else None

    def _check_before_connect(self, *_: Any) -> None:
        self._require_file()  # SQLite would create an empty file in the place of a deleted one

    def _close_if_late(self, dbapi_connection: Any, record: ConnectionPoolEntry) -> None:
        if self._is_closed and dbapi_connection is not None:  # None: SQLAlchemy has closed it
            record.invalidate()  # the pool does not lend it again

    def _upgrade(self) -> None:
        with self.read() as connection:
            if _revision(connection) == REVISIONS[-1]:
                return
        with self.write() as connection:  # the first process upgrades; the others find it done
            found = _revision(connection)
            if found is not None and found not in REVISIONS:
                is_newer = found > REVISIONS[-1]
                raise SchemaError(
                    f"the database is at revision {found}, made by {'a newer Inkling' if is_newer else 'no Inkling'}; "
                    f"this one knows {REVISIONS[0]} to {REVISIONS[-1]}: "
                    f"{'upgrade Inkling' if is_newer else 'restore a backup'}, or name a database other than "
                    f"{self._visible_url}"
                )
            tables = set(inspect(connection).get_table_names())
            if self.file and found is None and tables and not tables >= FIRST_TABLES:
                raise SchemaError(
                    f"the database file {self.file} holds the tables of another program "
                    f"({', '.join(sorted(tables)[:5])}): name another file"
                )
            self.allow_long(connection)
            _migrate(connection, found)
        if self.file and tables:
            try:
                self.shrink()  # the upgrade may have moved much
            except SQLAlchemyError as error:
                logger.warning("cannot shrink the upgraded database, `inkling prune` does it: %s", error)


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


def _postgres_engine(url: URL, limits: DatabaseLimits) -> "tuple[Engine, Patience]":
    try:
        from inkling.registry.postgres import Patience, connect_arguments  # noqa: PLC0415  of an extra
    except ImportError as error:
        raise RegistryError(f"{error}; for PostgreSQL: pip install '.[postgres]'") from error
    engine = create_engine(url, connect_args=connect_arguments(url, limits.timeout_s), **_pool_options(limits))
    return engine, Patience(engine, limits.timeout_s)


def _pool_options(limits: DatabaseLimits) -> dict[str, Any]:
    kept = min(IDLE_CONNECTIONS, limits.connections)
    return {
        "pool_size": kept,
        "max_overflow": limits.connections - kept,
        "pool_timeout": limits.timeout_s,
    }
