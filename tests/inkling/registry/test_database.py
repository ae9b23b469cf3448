import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from inkling.errors import DatabaseFileError, SchemaError
from inkling.registry.database import Database
from inkling.registry.database_errors import describe_database_error
from inkling.registry.tables import promotions, run_progress, runs
from tests.support.postgres import Postgres


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'new' / 'folder' / 'inkling.db'}")
    yield database
    database.close()


def a_run(**values: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "state": "queued",
        "recipe": {},
        "promote": "never",
        "requested_at": now,
        "step": 0,
        "total_steps": 1,
        "attempt": 0,
        **values,
    }


def count_runs(database: Database) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.count()).select_from(runs)) or 0


def test_folder_and_tables_are_made(database: Database, tmp_path: Path) -> None:
    assert count_runs(database) == 0
    assert (tmp_path / "new" / "folder" / "inkling.db").is_file()


def test_writing_is_durable_and_does_not_stop_readers(database: Database) -> None:
    with database.read() as connection:
        pragmas = {
            name: connection.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}


def test_write_is_kept(database: Database) -> None:
    with database.write() as connection:
        connection.execute(insert(runs).values(a_run()))
    assert count_runs(database) == 1


def test_write_that_raises_changes_nothing(database: Database) -> None:
    def write_and_raise() -> None:
        with database.write() as connection:
            connection.execute(insert(runs).values(a_run()))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_raise()
    assert count_runs(database) == 0


def test_read_changes_nothing(database: Database) -> None:
    with database.read() as connection:
        connection.execute(insert(runs).values(a_run()))
    assert count_runs(database) == 0


def test_read_sees_one_state_while_another_writes(database: Database) -> None:
    with database.read() as connection:
        before = connection.scalar(select(func.count()).select_from(runs))
        with database.write() as other:
            other.execute(insert(runs).values(a_run()))
        assert connection.scalar(select(func.count()).select_from(runs)) == before == 0
    assert count_runs(database) == 1


def test_promotion_of_no_version_is_refused_by_the_database(database: Database) -> None:
    def promote() -> None:
        with database.write() as connection:
            row = {"version": 9, "promoted_at": datetime.now(UTC), "policy": "manual", "reason": ""}
            connection.execute(insert(promotions).values(row))

    with pytest.raises(IntegrityError, match="FOREIGN KEY"):
        promote()


def test_progress_of_no_run_is_refused_by_the_database(database: Database) -> None:
    def record() -> None:
        with database.write() as connection:
            row = {"run_id": 9, "step": 1, "loss": 1.0, "accuracy": 0.5, "elapsed_s": 0.1}
            connection.execute(insert(run_progress).values(row))

    with pytest.raises(IntegrityError, match="FOREIGN KEY"):
        record()


def test_moment_of_any_time_zone_comes_back_as_the_same_moment_in_utc(database: Database) -> None:
    moment = datetime(2024, 7, 1, 1, 30, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    with database.write() as connection:
        connection.execute(insert(runs).values(a_run(requested_at=moment)))
    with database.read() as connection:
        row = connection.execute(select(runs)).one()
    assert row.requested_at == moment
    assert row.requested_at.utcoffset() == timedelta(0)
    assert row.finished_at is None


def test_moment_comes_back_in_utc_from_a_postgresql_of_another_time_zone(postgres: Postgres, postgres_url: str) -> None:
    # given
    name = postgres_url.rpartition("/")[2]
    postgres.execute(f"ALTER DATABASE {name} SET timezone = 'Asia/Kathmandu'")
    database = Database(postgres_url)
    moment = datetime(2024, 7, 1, 12, tzinfo=UTC)
    # when
    with database.write() as connection:
        connection.execute(insert(runs).values(a_run(requested_at=moment)))
    with database.read() as connection:
        row = connection.execute(select(runs)).one()
    database.close()
    # then
    assert row.requested_at == moment
    assert row.requested_at.utcoffset() == timedelta(0)


def test_id_of_a_deleted_run_is_not_used_again(database: Database) -> None:
    with database.write() as connection:
        connection.execute(insert(runs).values(a_run()))
        connection.execute(runs.delete())
        connection.execute(insert(runs).values(a_run()))
        assert connection.scalar(select(runs.c.id)) == 2


def test_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "inkling.db").write_bytes(b"not a database, but long enough to have a header" * 100)
    with pytest.raises(Exception, match="file is not a database"):
        Database(f"sqlite:///{tmp_path / 'inkling.db'}")


def test_backup_of_a_database_in_use_is_whole(database: Database, tmp_path: Path) -> None:
    # given: a database that is open, with a row that may still be in its write-ahead log
    with database.write() as connection:
        connection.execute(insert(runs).values(a_run()))
    # when: it is copied by SQLite's own means
    source = sqlite3.connect(tmp_path / "new" / "folder" / "inkling.db")
    copy = sqlite3.connect(tmp_path / "copy.db")
    source.backup(copy)
    source.close()
    copy.close()
    # then
    backup = Database(f"sqlite:///{tmp_path / 'copy.db'}")
    assert count_runs(backup) == 1
    backup.close()


def test_connection_that_is_in_use_at_the_close_is_closed_when_it_is_returned(database: Database) -> None:
    with database.read() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        database.close()
        assert connection.scalar(text("SELECT 1")) == 1
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        driver.execute("SELECT 1")


def test_write_to_a_deleted_file_is_an_error(database: Database, tmp_path: Path) -> None:
    # given
    with database.write() as connection:
        connection.execute(insert(runs).values(a_run()))
    file = tmp_path / "new" / "folder" / "inkling.db"
    # when: it is moved away
    file.rename(tmp_path / "elsewhere.db")
    # then
    with pytest.raises(DatabaseFileError, match=r"inkling\.db was deleted while it was in use.*put it back"):
        database.write().__enter__()
    assert not file.exists()  # no empty one was made in its place
    # when: another is in its place
    file.write_bytes(b"")
    with pytest.raises(DatabaseFileError, match="was replaced while it was in use"):
        database.write().__enter__()
    # when: it is back
    (tmp_path / "elsewhere.db").rename(file)
    with database.write() as connection:
        connection.execute(insert(runs).values(a_run()))
    assert count_runs(database) == 2


def test_file_of_another_program_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE runs (id INTEGER)")
    with pytest.raises(SchemaError, match=r"other\.db holds the tables of another program \(runs\): name another file"):
        Database(f"sqlite:///{tmp_path / 'other.db'}")


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ("file is not a database", "restore a backup, or move the file away"),
        ("database disk image is malformed", "it is damaged: restore a backup"),
        ("database is locked", "another process has locked it"),
        ("attempt to write a readonly database", "must be able to write the file and its folder"),
        ("database or disk is full", "its disk is full: free some space"),
    ],
)
def test_error_of_the_database_comes_with_its_remedy(message: str, remedy: str) -> None:
    words = describe_database_error(OperationalError("SELECT 1", {}, sqlite3.OperationalError(message)))
    assert words.startswith(f"{message}; ")
    assert remedy in words
    assert "\n" not in words
