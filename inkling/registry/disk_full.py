"""The errors of the database and of the operating system that mean a full disk."""

from sqlalchemy.exc import DBAPIError

DISK_FULL_PHRASES = (
    "disk is full",  # SQLite
    "disk I/O error",  # SQLite, when one of its files cannot grow
    "could not extend file",  # PostgreSQL
    "No space left on device",  # ENOSPC
    "File too large",  # EFBIG
)


def is_disk_full(error: Exception) -> bool:
    """Return whether an error of the database, or of the operating system, says that a disk is full."""
    message = str(error.orig if isinstance(error, DBAPIError) else error)
    return any(phrase in message for phrase in DISK_FULL_PHRASES)
