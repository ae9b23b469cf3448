import logging
from contextlib import closing
from pathlib import Path

import pytest

from inkling.registry import network_file_systems
from inkling.registry.database import Database
from inkling.registry.network_file_systems import network_file_system

MOUNTS = r"""/dev/sda1 / ext4 rw,relatime 0 0
server:/export /srv nfs4 rw,vers=4.2 0 0
tmpfs /srv/local tmpfs rw 0 0
//nas/share /mnt/my\040share cifs rw 0 0
me@host: /home/me/remote fuse.sshfs rw 0 0
"""


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("/var/inkling.db", None),
        ("/srv/inkling/inkling.db", "nfs4"),
        ("/srv/local/inkling.db", None),
        ("/srvother/inkling.db", None),
        ("/mnt/my share/inkling.db", "cifs"),
        ("/home/me/remote/inkling.db", "fuse.sshfs"),
    ],
)
def test_network_file_systems_are_found_by_the_mount_that_holds_the_file(file: str, expected: str | None) -> None:
    assert network_file_system(Path(file), MOUNTS) == expected


def test_database_on_a_network_file_system_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda1 / ext4 rw 0 0\nserver:/export {tmp_path} nfs4 rw 0 0\n")
    monkeypatch.setattr(network_file_systems, "MOUNTS", mounts)
    with caplog.at_level(logging.WARNING), closing(Database(f"sqlite:///{tmp_path / 'inkling.db'}")):
        pass
    assert f"the database file {tmp_path / 'inkling.db'} is on a network file system (nfs4)" in caplog.text
    assert "use PostgreSQL" in caplog.text


def test_where_mounts_are_not_listed_nothing_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(network_file_systems, "MOUNTS", tmp_path / "none")
    assert network_file_system(tmp_path / "inkling.db") is None
