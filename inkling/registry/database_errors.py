"""The errors of a database in words: what is wrong with it, and what to do."""

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from inkling.registry.disk_full import is_disk_full

NOT_A_REGISTRY = "it is not a registry of this release: restore a backup, or name another database"
LOCKED_PHRASES = ("database is locked", "database table is locked", "lock timeout")
"""Of SQLite, and of PostgreSQL."""
REMEDIES = {
    "file is not a database": "restore a backup, or move the file away to start with an empty registry",
    "malformed": "it is damaged: restore a backup, or save what can be read with SQLite's command .recover",
    **dict.fromkeys(
        LOCKED_PHRASES,
        "another process has locked it for longer than INKLING_DATABASE_TIMEOUT_S: end that process, or try again",
    ),
    "readonly database": "this user must be able to write the file and its folder",
    "unable to open database file": "its folder must exist, and this user must be able to write it",
    "no such table": NOT_A_REGISTRY,
    "no such column": NOT_A_REGISTRY,
    "duplicate column": "an upgrade of it was begun by hand: restore a backup",
    # of PostgreSQL
    "read-only transaction": "it can only be read here: name the primary, or all hosts, in INKLING_DATABASE_URL",
    "session is read-only": "it can only be read there: name the primary, or all hosts, in INKLING_DATABASE_URL",
    "permission denied": "grant this user the tables, or make it the owner of the database",
    "Connection refused": "nothing listens there: start PostgreSQL, or correct host and port in INKLING_DATABASE_URL",
    "connection timeout expired": "the host does not answer: correct it in INKLING_DATABASE_URL, or open its firewall",
    "has not answered": "the database or the network to it hangs; the next call makes a new connection",
    "failed to resolve host": "correct the host in INKLING_DATABASE_URL",
    "could not translate host name": "correct the host in INKLING_DATABASE_URL",
    "password authentication failed": "correct user and password in INKLING_DATABASE_URL",
    "no password supplied": "add the password to INKLING_DATABASE_URL",
    "no pg_hba.conf entry": "PostgreSQL does not take this user from this host: add a line to its pg_hba.conf",
    "does not support SSL": "remove sslmode from INKLING_DATABASE_URL, or set up TLS in PostgreSQL",
    "invalid connection option": "after the ? of INKLING_DATABASE_URL only libpq's parameters may stand",
    "too many clients": "raise its max_connections, put PgBouncer before it, or lower INKLING_DATABASE_CONNECTIONS",
    "remaining connection slots": "raise its max_connections, or lower INKLING_DATABASE_CONNECTIONS",
    "QueuePool limit": "all connections are in use: try again, or raise INKLING_DATABASE_CONNECTIONS",
}
"""What the message of the database contains -> what to do."""


def is_locked(error: SQLAlchemyError) -> bool:
    """Return whether another process has locked what a call needs."""
    return isinstance(error, DBAPIError) and any(phrase in str(error.orig) for phrase in LOCKED_PHRASES)


def describe_database_error(error: SQLAlchemyError) -> str:
    """Return an error of the database in one line, with the remedy if it is known."""
    message = str(error.orig if isinstance(error, DBAPIError) else error).strip().partition("\n")[0]
    if is_disk_full(error):
        return f"{message}; its disk is full: free some space"
    if "database" in message and "does not exist" in message:
        return f"{message}; create it, or correct its name in INKLING_DATABASE_URL"
    return "; ".join([message, *(remedy for phrase, remedy in REMEDIES.items() if phrase in message)])
