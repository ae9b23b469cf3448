"""The errors of a database in words: what is wrong with it, and what to do."""

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from inkling.registry.disk_full import is_disk_full

REMEDIES = {
    "file is not a database": "restore a backup, or move the file away to start with an empty registry",
    "malformed": "it is damaged: restore a backup, or save what can be read with SQLite's command .recover",
    "database is locked": "another process has locked it for more than 10 s: end that process, or try again",
    "readonly database": "this user must be able to write the file and its folder",
    "unable to open database file": "its folder must exist, and this user must be able to write it",
    "no such table": "it is not a registry of this release: restore a backup, or name another database",
    "no such column": "it is not a registry of this release: restore a backup, or name another database",
    "duplicate column": "an upgrade of it was begun by hand: restore a backup",
}
"""What the message of the database contains -> what to do."""


def describe_database_error(error: SQLAlchemyError) -> str:
    """Return an error of the database in one line, with the remedy if it is known."""
    message = str(error.orig if isinstance(error, DBAPIError) else error).strip().partition("\n")[0]
    if is_disk_full(error):
        return f"{message}; its disk is full: free some space"
    return "; ".join([message, *(remedy for phrase, remedy in REMEDIES.items() if phrase in message)])
