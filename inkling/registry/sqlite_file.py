"""A SQLite file beside SQLAlchemy: for its online backup, and for what no transaction may surround."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy.exc import OperationalError

LOCK_TIMEOUT_S = 10


@contextmanager
def open_sqlite(file: Path) -> Iterator[sqlite3.Connection]:
    """Open a file; each statement is a transaction.

    Raises:
        OperationalError: SQLAlchemy's, for any error of SQLite inside the context.
    """
    try:
        with closing(sqlite3.connect(file, timeout=LOCK_TIMEOUT_S, isolation_level=None)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise OperationalError(None, None, error) from error
