import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from inkling.data_dir import check_data_dir

pytestmark = pytest.mark.unmeasured  # another user cannot write the data of coverage
CHECK = """
import sys
from pathlib import Path
from inkling.data_dir import check_data_dir
from inkling.errors import DataDirError
{become}
try:
    check_data_dir(Path(sys.argv[1]))
except DataDirError as error:
    print(error)
"""
ROOT_USER = os.geteuid() == 0
USER, GROUP = (12345, 0) if ROOT_USER else (os.geteuid(), os.getegid())
"""Whom the check runs as: as root, another user in root's group, as on OpenShift; else this user."""


def check_as_other_user(data_dir: Path) -> str:
    """Return what the check says in a process of another user; the module is imported before."""
    become = f"import os; os.setgroups([]); os.setgid({GROUP}); os.setuid({USER})" if ROOT_USER else ""
    program = CHECK.format(become=become)
    result = subprocess.run(
        [sys.executable, "-c", program, str(data_dir)], capture_output=True, text=True, timeout=30, check=True
    )
    return result.stdout.strip()


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A folder that everybody may use; pytest's own are of its user only."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        data_dir = Path(folder) / "data"
        data_dir.mkdir()
        data_dir.chmod(0o777)
        yield data_dir
        data_dir.chmod(0o777)


def test_own_directory_and_one_that_can_be_made_pass(tmp_path: Path) -> None:
    check_data_dir(tmp_path)
    check_data_dir(tmp_path / "not" / "there" / "yet")


def test_files_of_no_concern_pass(data_dir: Path) -> None:
    (data_dir / "notes.txt").touch(0o400)
    assert check_as_other_user(data_dir) == ""


def test_directory_of_another_user_is_said_in_words(data_dir: Path) -> None:
    data_dir.chmod(0o555)
    status = data_dir.stat()
    for folder in (data_dir, data_dir / "below"):
        assert check_as_other_user(folder) == (
            f"{data_dir} belongs to user {status.st_uid} and group {status.st_gid} (mode 555), and this process, of "
            f"user {USER} and group {GROUP}, may not write it: as root, run `chown -R {USER}:{GROUP} {folder}`; in "
            "Kubernetes, set fsGroup in the pod's securityContext"
        )


@pytest.mark.parametrize(
    ("name", "mode", "verb"),
    [("inkling.db", 0o444, "write"), ("trainer.lock", 0o444, "write"), ("api_key", 0o000, "read")],
)
def test_file_of_another_user_is_said_in_words(data_dir: Path, name: str, mode: int, verb: str) -> None:
    (data_dir / name).touch()
    (data_dir / name).chmod(mode)
    assert check_as_other_user(data_dir).startswith(f"{data_dir / name} belongs to user ")
    assert f", may not {verb} it: as root, run `chown -R {USER}:{GROUP} {data_dir}`" in check_as_other_user(data_dir)
