"""PostgreSQL that stops during a run, for some minutes or until its replica is promoted."""

import shutil
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from benchmarks.outages import service
from benchmarks.processes import running_inkling
from benchmarks.verdicts import log_to_stderr
from inkling.registry.registry import Registry
from tests.support.postgres import Postgres, new_folder, start_postgres

FAILOVER_S = 20
"""From the end of the primary to the promotion of its replica."""
FIRST_STEPS = 2000


def database_stops(folder: Path, mnist_dir: Path, minutes: float, steps: int) -> list[str]:
    """Return the row of a PostgreSQL that stops for some minutes."""
    with start_postgres() as postgres:

        def interrupt() -> None:
            postgres.stop()
            time.sleep(60 * minutes)
            postgres.start()

        measured = _interrupted(folder, mnist_dir, postgres.url(), interrupt, steps)
    return [f"PostgreSQL stops for {minutes:g} minutes during a run", *measured]


def database_fails_over(folder: Path, mnist_dir: Path, steps: int) -> list[str]:
    """Return the row of a PostgreSQL that stops, and whose replica is promoted."""
    replica_folder = new_folder()
    with start_postgres() as primary:
        replica = primary.replicate(replica_folder)
        try:
            measured = _interrupted(
                folder, mnist_dir, _url(primary, replica), lambda: _promote(primary, replica), steps
            )
        finally:
            replica.stop()
            shutil.rmtree(replica_folder)
            if not primary.is_running():
                primary.start()  # to be stopped
    return [f"PostgreSQL fails during a run, and its replica is promoted {FAILOVER_S} s later", *measured]


def _url(primary: Postgres, replica: Postgres) -> str:
    return f"postgresql://inkling@127.0.0.1:{primary.port},127.0.0.1:{replica.port}/postgres"


def _promote(primary: Postgres, replica: Postgres) -> None:
    primary.stop()
    time.sleep(FAILOVER_S)
    replica.promote()


def _interrupted(folder: Path, mnist_dir: Path, url: str, interrupt: Callable[[], None], steps: int) -> tuple[str, str]:
    """Train one run undisturbed and one through an interruption; return in words what clients and the run saw."""
    with (
        running_inkling(folder / "server", INKLING_DATABASE_URL=url) as server,
        closing(Registry(url)) as registry,
        service.trainers(folder, url, mnist_dir),
    ):
        undisturbed = service.wait_for_end(registry, service.queue(registry, steps))
        log_to_stderr(f"the undisturbed run: {undisturbed.state}")
        run = service.queue(registry, steps)
        service.wait(lambda: registry.runs.get(run.id).step >= FIRST_STEPS, "the run has made its first steps")
        clients = service.Clients()
        with service.predicting(server, clients):
            started = time.monotonic()
            interrupt()
            log_to_stderr(f"the database is back after {time.monotonic() - started:.0f} s")
            ended = service.wait_for_end(registry, run)
        words, is_right = service.outcome(registry, ended, undisturbed)
        log_to_stderr(f"the run: {words}; {registry.verify() or 'the registry is consistent'}")
    if not is_right or clients.failures:
        raise RuntimeError(f"{words}; {clients.in_words()} {clients.failures[:3]}")
    return clients.in_words(), words
