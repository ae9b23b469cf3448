"""The failures of a run, as the registry records them."""

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from inkling.registry.disk_full import is_disk_full
from inkling.registry.records import ErrorType

ERROR_TYPES: dict[str, ErrorType] = {
    "DatabaseFileError": "database_lost",
    "DatasetError": "dataset",
    "UnknownVersionError": "dataset",
    "DivergedError": "diverged",
    "CheckpointError": "diverged",
    "ModuleNotFoundError": "tensorflow_missing",
    "MemoryError": "out_of_memory",
    "ResourceExhaustedError": "out_of_memory",
}
"""The error type by the name of the exception's class: most of these classes can be imported only with TensorFlow."""


def describe_failure(error: Exception, away_s: float) -> tuple[ErrorType, str]:
    """Return the type of a failure, one word, and its description.

    Args:
        error: the exception that ended the run.
        away_s: how long the registry may be away, in seconds.
    """
    detail = str(error.orig if isinstance(error, DBAPIError) else error) or type(error).__name__
    if is_disk_full(error):
        return (
            "disk_full",
            f"the disk of the registry or of the data directory is full: {detail}; free some space, and train again",
        )
    if isinstance(error, SQLAlchemyError):
        return "database_lost", f"the registry did not answer for {away_s:.0f} s: {detail}"
    return ERROR_TYPES.get(type(error).__name__, "internal"), detail
