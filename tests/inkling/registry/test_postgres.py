"""PostgreSQL as people have it: behind PgBouncer, with several hosts, and behind a network that goes silent."""

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from inkling.errors import SchemaError
from inkling.network.checkpoint import Checkpoint
from inkling.registry.database import Database, DatabaseLimits
from inkling.registry.database_errors import describe_database_error
from inkling.registry.registry import Registry
from tests.support.leases import LONG_S, OWNER, progress_at, promoted, queue
from tests.support.pgbouncer import start_pgbouncer
from tests.support.ports import free_port
from tests.support.postgres import Postgres
from tests.support.silent_proxy import SilentProxy, start_silent_proxy

QUICK = DatabaseLimits(timeout_s=0.5, connections=4)


@pytest.fixture(scope="module")
def pgbouncer_port(postgres: Postgres) -> Iterator[int]:
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)  # its user reads the file
        with start_pgbouncer(Path(name), postgres.port) as port:
            yield port


@pytest.fixture
def proxy(postgres: Postgres) -> Iterator[SilentProxy]:
    with start_silent_proxy(postgres.port) as proxy:
        yield proxy


def at_port(url: str, port: int) -> str:
    return f"postgres://inkling@127.0.0.1:{port}/{url.rpartition('/')[2]}"


def test_registry_behind_pgbouncer_in_transaction_mode(
    pgbouncer_port: int, postgres_url: str, checkpoint: Checkpoint
) -> None:
    # given: more clients than connections to PostgreSQL
    url = at_port(postgres_url, pgbouncer_port)
    with closing(Registry(url)) as registry:
        errors: list[Exception] = []

        def use() -> None:
            try:
                for _ in range(3):
                    queue(registry)
                    leased = registry.runs.claim(LONG_S, OWNER, at_once=100)
                    if leased is not None:
                        registry.runs.record_progress(leased, progress_at(100))
                        registry.publish(leased, checkpoint, promoted)
            except Exception as error:
                errors.append(error)

        # when
        threads = [threading.Thread(target=use) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # then
        assert errors == []
        states = [run.state for run in registry.runs.newest(100)]
        assert states == ["succeeded"] * 12
        assert registry.verify() == []
    with closing(Database(url, QUICK)) as database, database.write() as connection:
        shown = [connection.scalar(text(f"SHOW {name}")) for name in ("lock_timeout", "statement_timeout")]
    assert shown == ["500ms", "0"]


def test_lock_that_another_holds_is_called_a_lock(postgres_url: str) -> None:
    with closing(Database(postgres_url, QUICK)) as database:

        def write_too() -> None:
            with database.write(), database.write():
                pass

        with pytest.raises(SQLAlchemyError) as raised:
            write_too()
    assert "lock timeout; another process has locked it for longer" in describe_database_error(raised.value)


def test_connection_that_went_silent_is_replaced(proxy: SilentProxy, postgres_url: str) -> None:
    with closing(Registry(at_port(postgres_url, proxy.port), QUICK)) as registry:
        run = queue(registry)
        # when
        proxy.silence()
        # then: the check of the connection finds it, and the call is made through a new one
        assert registry.runs.get(run.id) == run


def test_call_that_is_not_answered_ends(proxy: SilentProxy, postgres_url: str) -> None:
    with closing(Database(at_port(postgres_url, proxy.port), QUICK)) as database:

        def go_silent() -> None:
            with database.read() as connection:
                proxy.silence()
                connection.execute(text("SELECT 1"))

        with pytest.raises(OperationalError, match=r"has not answered for 0\.625 s") as raised:
            go_silent()
        assert "the next call makes a new connection" in describe_database_error(raised.value)
        with database.read() as connection:
            assert connection.scalar(text("SELECT 1")) == 1


def test_first_host_that_can_be_written_is_used(postgres: Postgres, postgres_url: str) -> None:
    hosts = f"127.0.0.1:{free_port()},127.0.0.1:{postgres.port}"
    with closing(Registry(f"postgresql://inkling@{hosts}/{postgres_url.rpartition('/')[2]}")) as registry:
        assert queue(registry).id == 1


def test_registry_of_a_user_who_may_only_read_is_read(
    postgres: Postgres, postgres_url: str, checkpoint: Checkpoint
) -> None:
    # given
    with closing(Registry(postgres_url)) as registry:
        registry.versions.add_first(checkpoint)
        queue(registry)
    name = postgres_url.rpartition("/")[2]
    read_only = f"postgresql://inkling@127.0.0.1:{postgres.port}/{name}?options=-cdefault_transaction_read_only%3Don"
    # when
    with closing(Registry(read_only)) as registry:
        # then: as a server opens it
        registry.versions.add_first(checkpoint)
        assert registry.versions.checkpoint(1) == checkpoint.content
        assert [run.id for run in registry.runs.newest(10)] == [1]
        with pytest.raises(SQLAlchemyError) as raised:
            queue(registry)
    assert "it can only be read here" in describe_database_error(raised.value)


def test_empty_database_that_can_only_be_read_is_an_error(postgres: Postgres, postgres_url: str) -> None:
    name = postgres_url.rpartition("/")[2]
    with pytest.raises((SQLAlchemyError, SchemaError), match="read-only transaction"):
        Registry(f"postgresql://inkling@127.0.0.1:{postgres.port}/{name}?options=-cdefault_transaction_read_only%3Don")
