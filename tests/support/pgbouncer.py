"""A real PgBouncer for tests, in transaction mode, with fewer connections to PostgreSQL than its clients have."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.postgres import NOT_ROOT, SUPERUSER
from tests.support.processes import wait_until

TO_INSTALL = "needs PgBouncer: apt-get install pgbouncer"


@contextmanager
def start_pgbouncer(folder: Path, postgres_port: int) -> Iterator[int]:
    """Start a PgBouncer before a PostgreSQL and yield its port. Skips where it is not installed, fails in CI."""
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail(TO_INSTALL)
        pytest.skip(TO_INSTALL)
    port = free_port()
    file = folder / "pgbouncer.ini"
    file.write_text(
        f"[databases]\n* = host=127.0.0.1 port={postgres_port} user={SUPERUSER}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        "pool_mode = transaction\ndefault_pool_size = 2\nserver_round_robin = 1\n"
    )
    as_user = ["--user", NOT_ROOT] if os.geteuid() == 0 else []
    with (folder / "pgbouncer.log").open("wb") as log:
        process = subprocess.Popen([program, *as_user, str(file)], stdout=log, stderr=log)
    try:
        wait_until(lambda: _listens(port), "PgBouncer listens")
        yield port
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
