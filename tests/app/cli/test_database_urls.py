"""Databases that cannot be used: commands say so in one line, without the password."""

from pathlib import Path

import pytest

from tests.support.command_line import InklingHere, check_error
from tests.support.ports import free_port
from tests.support.postgres import Postgres


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("inkling.db", "INKLING_DATABASE_URL is not a URL"),
        ("mysql://u:s3cret@h/d", "begins with mysql://"),
        ("postgres://u:s3/cret@h/d", "has a second / or @"),
        ("postgres://u:s3cret@127.0.0.1:{free}/d", "Connection refused; nothing listens there"),
        ("postgres://u:s3cret@127.0.0.1:{free},127.0.0.1:{free}/d", "Connection refused; nothing listens there"),
        ("postgres://u:s3cret@no-such-host.invalid/d", "correct the host"),
        ("postgres://inkling:s3cret@127.0.0.1:{port}/no_such", "create it, or correct its name"),
        ("postgres://nobody:s3cret@127.0.0.1:{port}/postgres", 'role "nobody" does not exist'),
        ("postgres://inkling:s3cret@127.0.0.1:{port}/postgres?pgbouncer=true", "only libpq's parameters"),
        ("postgres://inkling:s3cret@127.0.0.1:{port}/postgres?sslmode=require", "does not support SSL"),
        ("sqlite:///{folder}/file/inkling.db", "file"),
        ("sqlite:///{folder}", "unable to open database file"),
    ],
)
def test_wrong_url_is_one_line_without_the_password(
    inkling_here: InklingHere, postgres: Postgres, tmp_path: Path, url: str, words: str
) -> None:
    (tmp_path / "file").write_bytes(b"")
    known = {"free": free_port(), "port": postgres.port, "folder": tmp_path}
    result = inkling_here("versions", "--database-url", url.format(**known))
    check_error(result, 1, words)
    assert "s3" not in result.stderr
