"""A run whose PostgreSQL fails, and whose replica is promoted."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from tests.support.postgres import Postgres, new_folder, start_postgres
from tests.support.processes import wait_until
from tests.support.runs import SHORT, queue
from training.process import StopSignal
from training.timings import Timings
from training.worker import Worker

pytestmark = pytest.mark.train

LONGER = SHORT.with_overrides({"training_steps": 2000, "display_step": 20})


@pytest.fixture
def primary() -> Iterator[Postgres]:
    with start_postgres() as postgres:
        yield postgres
        if not postgres.is_running():
            postgres.start()  # to be stopped


@pytest.fixture
def replica(primary: Postgres) -> Iterator[Postgres]:
    folder = new_folder()
    replica = primary.replicate(folder)
    yield replica
    replica.stop()
    shutil.rmtree(folder)


def test_run_goes_on_after_a_failover_and_ends_with_the_same_network(
    primary: Postgres, replica: Postgres, store: StoreSettings
) -> None:
    hosts = f"127.0.0.1:{primary.port},127.0.0.1:{replica.port}"
    settings = store.model_copy(update={"database_url": f"postgres://inkling@{hosts}/postgres"})
    with closing(Registry.from_settings(settings)) as registry, ThreadPoolExecutor(1) as pool:
        # given: a run that nothing interrupted, and one that is being trained
        worker = Worker(registry, settings, StopSignal(), Timings(lease_s=3, poll_s=0.1))
        queue(registry, LONGER)
        assert worker.train_next("one")
        run = queue(registry, LONGER)
        lease = worker.claim("one")
        assert lease is not None
        training = pool.submit(worker.train, lease)
        wait_until(lambda: registry.runs.get(run.id).step, "the run has made its first steps")
        # when
        primary.stop("immediate")
        replica.promote()
        # then
        ended = training.result()
        assert (ended.state, ended.attempt) == ("succeeded", 1)
        newest, first = registry.versions.newest(2)  # PostgreSQL leaves out numbers after a failure
        assert newest.version == ended.version
        assert newest.digest == first.digest
        assert registry.verify() == []
