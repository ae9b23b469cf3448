"""A real PostgreSQL for tests: its own server on a free port, in a temporary folder, with a new database for each."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.support.ports import free_port

BACKENDS = ("sqlite", "postgresql")
"""The databases of the tests that run on each: they parametrize the fixture `backend`."""

SUPERUSER = "inkling"
NOT_ROOT = "postgres"
"""PostgreSQL refuses to run as root: as root, the tests run it as this user, which its package makes."""
TO_INSTALL = "needs PostgreSQL's programs and driver: apt-get install postgresql; pip install 'psycopg[binary]'"
START_ATTEMPTS = 3
_numbers = count(1)


@dataclass
class Postgres:
    programs: Path
    folder: Path
    port: int = 0

    def url(self, database: str = "postgres") -> str:
        return f"postgresql+psycopg://{SUPERUSER}@127.0.0.1:{self.port}/{database}"

    def make(self) -> None:
        """Make the folder with the databases."""
        options = ["-U", SUPERUSER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        self._run("initdb", "-D", str(self.folder / "data"), *options)

    def start(self) -> None:
        """Start it: on a free port the first time, on the same one again."""
        if self.port:
            self._start(self.port)
            return
        for attempt in range(START_ATTEMPTS):  # another program may take the port first
            port = free_port()
            try:
                self._start(port)
            except RuntimeError:
                if attempt == START_ATTEMPTS - 1:
                    raise
                continue
            self.port = port
            return

    def stop(self, mode: str = "immediate") -> None:
        """Stop it, as if its machine had failed, unless another of pg_ctl's modes is given."""
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", mode, "-w", "stop")

    def is_running(self) -> bool:
        return (self.folder / "data" / "postmaster.pid").exists()

    def replicate(self, folder: Path) -> "Postgres":
        """Start a second server that streams from this one, in a new folder."""
        replica = Postgres(self.programs, folder)
        address = ["-h", "127.0.0.1", "-p", str(self.port), "-U", SUPERUSER]
        replica._run("pg_basebackup", *address, "-D", str(folder / "data"), "-R", "--checkpoint=fast", "--no-sync")
        replica.start()
        return replica

    def promote(self) -> None:
        """Let a replica take writes."""
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-w", "promote")

    def new_database(self) -> str:
        """Return the URL of a new, empty database."""
        name = f"inkling_{next(_numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def drop_database(self, url: str) -> None:
        self.execute(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def execute(self, statement: str) -> None:
        engine = create_engine(self.url(), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()

    def _start(self, port: int) -> None:
        # a test may lose the machine's last seconds, but not the server's: writes need not reach the disk
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-l", log, "-o", options, "-w", "start")

    def _run(self, program: str, *arguments: str) -> None:
        log = self.folder / f"{program}.log"  # a file: pg_ctl's server would keep a pipe open
        with log.open("w") as output:
            ended = subprocess.run(
                [str(self.programs / program), *arguments],
                user=NOT_ROOT if os.geteuid() == 0 else None,
                group=pwd.getpwnam(NOT_ROOT).pw_gid if os.geteuid() == 0 else None,
                extra_groups=[] if os.geteuid() == 0 else None,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=60,
                check=False,
            )
        if ended.returncode:
            raise RuntimeError(f"{program} ended with {ended.returncode}:\n{log.read_text()}")


def new_folder() -> Path:
    """Return a folder for a server: not pytest's, which only its user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="inkling-postgres-"))
    if os.geteuid() == 0:
        shutil.chown(folder, NOT_ROOT)
    return folder


@contextmanager
def start_postgres() -> Iterator[Postgres]:
    """Start a PostgreSQL with a new folder, and stop it at the end. Skips where it is not installed, fails in CI."""
    programs = _find_programs()
    if programs is None:
        if os.environ.get("CI"):
            pytest.fail(TO_INSTALL)
        pytest.skip(TO_INSTALL)
    folder = new_folder()
    postgres = Postgres(programs, folder)
    try:
        postgres.make()
        postgres.start()
        yield postgres
        postgres.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The PostgreSQL that the tests share; whoever stops it starts it again."""
    with start_postgres() as postgres:
        yield postgres


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """The URL of a new, empty database in PostgreSQL."""
    url = postgres.new_database()
    yield url
    postgres.drop_database(url)


def _find_programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, if all that the tests need is installed."""
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return None
    known = [Path(found).resolve() for found in (shutil.which("initdb"), shutil.which("pg_ctl")) if found]
    newest_first = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version_of, reverse=True)
    for program in (*known, *newest_first):
        if (program.parent / "initdb").exists() and (program.parent / "pg_ctl").exists():
            return program.parent if os.geteuid() != 0 or _is_user(NOT_ROOT) else None
    return None


def _version_of(program: Path) -> float:
    name = program.parent.parent.name
    return float(name) if name.replace(".", "", 1).isdigit() else 0.0


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
