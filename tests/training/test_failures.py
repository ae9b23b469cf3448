import errno
import os

import pytest
from sqlalchemy.exc import OperationalError

from inkling.errors import CheckpointError, DatasetError
from training.failures import describe_failure


def database_error(message: str) -> OperationalError:
    return OperationalError("UPDATE runs", {}, Exception(message))


@pytest.mark.parametrize(
    "error",
    [
        database_error("database or disk is full"),
        database_error("disk I/O error"),
        database_error('could not extend file "base/16384/16389": No space left on device'),
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        OSError(errno.EFBIG, os.strerror(errno.EFBIG)),
    ],
    ids=str,
)
def test_full_disk_is_a_failure_of_its_own(error: Exception) -> None:
    error_type, detail = describe_failure(error, away_s=15)
    assert error_type == "disk_full"
    assert detail.startswith("the disk of the registry or of the data directory is full: ")
    assert "UPDATE runs" not in detail


def test_lost_database_is_described_with_the_time_of_the_retries() -> None:
    assert describe_failure(database_error("server closed the connection"), away_s=15) == (
        "database_lost",
        "the registry did not answer for 15 s: server closed the connection",
    )


@pytest.mark.parametrize(
    ("error", "error_type"),
    [
        (DatasetError("why"), "dataset"),
        (CheckpointError("why"), "diverged"),
        (ModuleNotFoundError("why"), "tensorflow_missing"),
        (MemoryError("why"), "out_of_memory"),
        (ZeroDivisionError("why"), "internal"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_failure_has_the_type_of_its_exception_and_its_message(error: Exception, error_type: str) -> None:
    assert describe_failure(error, away_s=15) == (error_type, "why")


def test_failure_without_a_message_is_described_by_its_class() -> None:
    assert describe_failure(ZeroDivisionError(), away_s=15) == ("internal", "ZeroDivisionError")
