"""The space of deleted rows in a SQLite file, given back to the disk: SQLite keeps it for new rows otherwise."""

import sqlite3
import time
from pathlib import Path

from inkling.registry.sqlite_file import open_sqlite

LEAST_PAGES, MOST_PAGES = 200, 4000
"""Pages of 4 KB that one transaction gives back: the first one, and beside busy writers all, the fewest."""
HELD_S = 0.02
"""How long a transaction should keep others from writing: the next one gives back as many pages as took that long."""
MAX_PAUSE_S = 0.1
"""The longest pause between two transactions; else it is as long as the one before."""
MANY_PAGES = 10_000
"""Free pages, 40 MB, above which `inkling prune` gives them back before it goes on.

SQLite looks for each page that it cuts off the end of the file in the list of all free pages: the time grows with the
square of their number.
"""
TOO_MANY_PAGES = 300_000
"""Free pages, 1.2 GB, above which it is faster to rewrite the file."""


def has_much_space(file: Path) -> bool:
    """Return whether a file has so many free pages that they should be given back before there are more.

    Raises:
        OperationalError: another program kept its lock.
    """
    with open_sqlite(file) as connection:
        return _free_pages(connection) > MANY_PAGES


def shrink_sqlite(file: Path) -> None:
    """Give back the free pages of a file, in small transactions, with pauses in which others can write.

    A file with too many of them is rewritten at once, and nobody else can write meanwhile; it takes as much free
    space as the registry without its free pages, for a moment. So are files of 0.3 and older, once.

    Raises:
        OperationalError: another program kept its lock, or the disk is full; nothing is lost.
    """
    with open_sqlite(file) as connection:
        is_old = connection.execute("PRAGMA auto_vacuum").fetchone() == (0,)
        if is_old or _free_pages(connection) > TOO_MANY_PAGES:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("VACUUM")
        pages = LEAST_PAGES
        while _free_pages(connection):
            started = time.monotonic()
            connection.executescript(f"PRAGMA incremental_vacuum({pages})")  # `execute` would stop at a page
            held_s = time.monotonic() - started  # or waited for another writer
            pages = min(max(round(pages * min(HELD_S / held_s, 2)), LEAST_PAGES), MOST_PAGES)
            time.sleep(min(held_s, MAX_PAUSE_S))
        connection.execute("PRAGMA busy_timeout = 100")  # the longest that writers wait if somebody reads
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _free_pages(connection: sqlite3.Connection) -> int:
    pages: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
    return pages
