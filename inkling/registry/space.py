"""The space of deleted rows in a SQLite file, given back to the disk: SQLite keeps it for new rows otherwise."""

import time
from pathlib import Path

from inkling.registry.sqlite_file import open_sqlite

LEAST_PAGES, MOST_PAGES = 200, 4000
"""Pages of 4 KB that one transaction gives back: the first one, and beside busy writers all, the fewest."""
HELD_S = 0.02
"""How long a transaction should keep others from writing: the next one gives back as many pages as took that long."""
MAX_PAUSE_S = 0.1
"""The longest pause between two transactions; else it is as long as the one before."""


def shrink_sqlite(file: Path) -> None:
    """Give back the free pages of a file, in small transactions, with pauses in which others can write.

    Files of 0.3 and older cannot do this. They are rewritten once, which nobody else can write meanwhile; it takes
    as much free space as the registry without its free pages, for a moment.

    Raises:
        OperationalError: another program kept its lock, or the disk is full; nothing is lost.
    """
    with open_sqlite(file) as connection:
        if connection.execute("PRAGMA auto_vacuum").fetchone() == (0,):
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("VACUUM")
        pages = LEAST_PAGES
        while connection.execute("PRAGMA freelist_count").fetchone()[0]:
            started = time.monotonic()
            connection.executescript(f"PRAGMA incremental_vacuum({pages})")  # `execute` would stop at a page
            held_s = time.monotonic() - started  # or waited for another writer
            pages = min(max(round(pages * min(HELD_S / held_s, 2)), LEAST_PAGES), MOST_PAGES)
            time.sleep(min(held_s, MAX_PAUSE_S))
        connection.execute("PRAGMA busy_timeout = 100")  # the longest that writers wait if somebody reads
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
