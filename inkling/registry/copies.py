"""Copies of a registry: a backup in one file, its restoration, and the move to another database.

A backup is a registry in a SQLite file, whatever the database of the registry is, so `inkling verify` checks it, any
program reads it, and it can be restored to either database.
"""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, LargeBinary, Table, delete, func, insert, select, text

from inkling.errors import RegistryError
from inkling.registry.database import CLAIMS, Database
from inkling.registry.rows import database_time
from inkling.registry.sqlite_file import open_sqlite
from inkling.registry.tables import corrections, metadata, runs, searches, versions
from inkling.registry.verification import problems_of

ROWS_AT_ONCE = 5000
"""Rows of a table that are in memory at a time."""
BLOBS_AT_ONCE = 20
"""Rows with checkpoint files or snapshots, of up to 2 MB each."""


def back_up(database: Database, file: Path) -> list[str]:
    """Write the state of a registry at one moment to a file, while others go on writing to the registry.

    The file appears when it is complete. Until then it is beside its place, with `.part` added to its name.

    Returns:
        What is inconsistent in it, one sentence each.

    Raises:
        RegistryError: `file` is the registry itself.
        OSError: the file cannot be written.
    """
    if database.file and file.exists() and file.samefile(database.file):
        raise RegistryError(f"{file} is the registry itself: name another file for the backup")
    part = _new_part(file)
    if database.file:
        with open_sqlite(database.file) as source, open_sqlite(part) as target:
            source.backup(target)
    else:
        with _opened(part) as copy, database.read() as source_rows, copy.write() as target_rows:
            database.allow_long(source_rows)
            copy_rows(source_rows, target_rows)
    with _opened(part) as copy, copy.read() as connection:
        problems = problems_of(connection)
    _close_file(part)
    os.replace(part, file)
    return problems


def restore(file: Path, database: Database, folder: Path) -> None:
    """Put the registry of a backup in the place of what a registry holds, in one transaction.

    Servers that run follow: they serve the version that was served when the backup was made. Trainers lose their runs.

    Args:
        file: the backup; it is not changed.
        database: of the registry.
        folder: where a copy of the backup is upgraded and verified first.

    Raises:
        RegistryError: `file` is no registry, or an inconsistent one.
        OSError: it cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    part = _new_part(folder / "restored.db")
    with file.open("rb") as opened:
        if opened.read(16) != b"SQLite format 3\0":
            raise RegistryError(f"{file} is no backup of a registry: `inkling backup FILE` writes one")
    try:
        with open_sqlite(file) as source, open_sqlite(part) as target:
            source.backup(target)
        with _opened(part) as copy:
            with copy.read() as connection:
                problems = problems_of(connection)
            if problems:
                raise RegistryError(f"{file} is inconsistent, and is not restored: {'; '.join(problems[:3])}")
            if database.file is None:
                _replace_rows(copy, database)
        if database.file is not None:
            with open_sqlite(part) as source, open_sqlite(database.file) as target:
                source.backup(target)  # one transaction: readers see what was there until it ends
    finally:
        _remove(part)


def move(source: Database, target: Database) -> list[str]:
    """Copy a registry into an empty one of another database, while nobody can write to it.

    The registry itself is not changed.

    Returns:
        What is inconsistent in the copy, one sentence each.

    Raises:
        RegistryError: the other one is not empty, or a run is being trained.
    """
    with _closed_to_writers(source), source.read() as source_rows:
        source.allow_long(source_rows)
        is_leased = runs.c.lease_expires_at > database_time(source_rows)
        leased = select(runs.c.id).where(runs.c.state == "running", is_leased)
        if run_id := source_rows.scalar(leased.limit(1)):
            raise RegistryError(f"run {run_id} is being trained: stop its trainer, or cancel the run, and move then")
        with target.write() as target_rows:
            target.allow_long(target_rows)
            if found := contents(target_rows):
                raise RegistryError(f"the other registry is not empty: it holds {found}")
            copy_rows(source_rows, target_rows)
    with target.read() as connection:
        target.allow_long(connection)
        return problems_of(connection)


def contents(connection: Connection) -> str:
    """Return in words what a registry holds; an empty text if it holds nothing."""
    tables = (versions, runs, searches, corrections)
    counts = [(table.name, connection.scalar(select(func.count()).select_from(table))) for table in tables]
    return ", ".join(f"{count} {name}" for name, count in counts if count)


def copy_rows(source: Connection, target: Connection) -> None:
    """Copy all rows, and the numbers that were given last, so that none is given twice."""
    for table in metadata.sorted_tables:
        has_blobs = any(isinstance(column.type, LargeBinary) for column in table.c)
        options = {"yield_per": BLOBS_AT_ONCE if has_blobs else ROWS_AT_ONCE}
        for rows in source.execute(select(table), execution_options=options).partitions():
            target.execute(insert(table), [dict(row._mapping) for row in rows])
        if table.kwargs.get("sqlite_autoincrement"):
            _set_last_number(target, table, _last_number(source, table))


def _replace_rows(copy: Database, database: Database) -> None:
    with copy.read() as source, database.write() as target:
        database.allow_long(target)
        _lock_claims(target)
        for table in reversed(metadata.sorted_tables):
            target.execute(delete(table))
        copy_rows(source, target)


def _last_number(connection: Connection, table: Table) -> int:
    """Return the largest number that a row of a table was ever given; 0 if there was none."""
    if connection.dialect.name == "sqlite":
        query = text("SELECT seq FROM sqlite_sequence WHERE name = :table")
        return connection.scalar(query, {"table": table.name}) or 0
    sequence = connection.scalar(text("SELECT pg_get_serial_sequence(:table, :key)"), _names(table))
    return connection.scalar(text(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}")) or 0  # noqa: S608  the database's own name


def _set_last_number(connection: Connection, table: Table, number: int) -> None:
    if connection.dialect.name == "sqlite":
        connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :table"), {"table": table.name})
        values = {"table": table.name, "number": number}
        connection.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :number)"), values)
    else:
        setval = text("SELECT setval(pg_get_serial_sequence(:table, :key), greatest(:number, 1), :number > 0)")
        connection.execute(setval, {**_names(table), "number": number})


def _names(table: Table) -> dict[str, str]:
    (key,) = table.primary_key
    return {"table": table.name, "key": key.name}


@contextmanager
def _closed_to_writers(database: Database) -> Iterator[None]:
    """Let nobody write but trainers that have a lease."""
    with database.write() as connection:
        _lock_claims(connection)
        yield


def _lock_claims(connection: Connection) -> None:
    """Take PostgreSQL's lock of claims, too, and keep it however long the copy takes. SQLite has one lock for all."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": CLAIMS})


@contextmanager
def _opened(file: Path) -> Iterator[Database]:
    """Open the registry in a file, which is upgraded."""
    with closing(Database(f"sqlite:///{file.absolute()}")) as database:
        yield database


def _new_part(file: Path) -> Path:
    part = file.with_name(f"{file.name}.part")
    _remove(part)
    return part


def _remove(part: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        part.with_name(part.name + suffix).unlink(missing_ok=True)


def _close_file(file: Path) -> None:
    """Make a registry's file one that needs no others beside it, and that can be read from a medium without writing."""
    with open_sqlite(file) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
