"""The space of deleted rows in a SQLite file, and how it is given back."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from inkling.registry import space

ROW_BYTES = 100_000


@contextmanager
def opened(file: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        yield connection


def free_pages(file: Path) -> int:
    with opened(file) as connection:
        pages: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
        return pages


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of 50 MB, of which all but the last 2 MB are free."""
    file = tmp_path / "inkling.db"
    with opened(file) as connection:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE files (id INTEGER PRIMARY KEY, content BLOB)")
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO files (content) VALUES (?)", ([bytes([n % 256]) * ROW_BYTES] for n in range(500))
        )
        connection.execute("COMMIT")
        connection.execute("DELETE FROM files WHERE id <= 480")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return file


def check(file: Path) -> None:
    """Check that the file lost its free pages, and nothing else."""
    assert free_pages(file) == 0
    assert file.stat().st_size < 3_000_000
    with opened(file) as connection:
        rows = connection.execute("SELECT id, content FROM files ORDER BY id").fetchall()
        assert rows == [(n + 1, bytes([n % 256]) * ROW_BYTES) for n in range(480, 500)]
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)


def test_free_pages_are_given_back(file: Path) -> None:
    assert space.has_much_space(file)
    space.shrink_sqlite(file)
    check(file)
    assert not space.has_much_space(file)


def test_file_with_too_many_free_pages_is_rewritten(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "TOO_MANY_PAGES", 5000)
    monkeypatch.setattr(space, "LEAST_PAGES", 0)  # the small steps would never end
    space.shrink_sqlite(file)
    check(file)


def test_file_with_few_free_pages_is_left_as_it_is(file: Path) -> None:
    space.shrink_sqlite(file)
    with opened(file) as connection:
        connection.execute("DELETE FROM files WHERE id <= 490")
    assert 0 < free_pages(file) < space.MANY_PAGES
    assert not space.has_much_space(file)
