import threading
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path

from inkling.network.checkpoint import Checkpoint
from inkling.registry.records import Decision
from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from tests.support.concurrency import in_processes, kill_while_hanging
from tests.support.leases import LONG_S, OWNER, lease, progress_at, promoted, queue
from tests.support.networks import make_checkpoint
from tests.support.postgres import Postgres
from tests.support.processes import DEADLINE_S, wait_until

PROCESSES = 4


def open_new_registries(urls: str, together: Barrier) -> None:
    try:
        for url in urls.split():
            together.wait(DEADLINE_S)
            Registry(url).close()
    except BaseException:
        together.abort()  # the others need not wait for this process
        raise


def test_processes_open_a_new_sqlite_registry_at_the_same_moment(tmp_path: Path) -> None:
    in_processes(PROCESSES, open_new_registries, " ".join(f"sqlite:///{tmp_path}/{number}.db" for number in range(10)))
    assert len(list(tmp_path.glob("*.db"))) == 10


def test_processes_open_a_new_postgresql_registry_at_the_same_moment(postgres: Postgres) -> None:
    urls = [postgres.new_database() for _ in range(10)]
    in_processes(PROCESSES, open_new_registries, " ".join(urls))
    for url in urls:
        registry = Registry(url)
        assert registry.verify() == []
        registry.close()
        postgres.drop_database(url)


def queue_with_keys(url: str, together: Barrier) -> None:
    registry = Registry(url)
    together.wait(DEADLINE_S)
    for key in range(10):
        queue(registry, f"key-{key}")
    registry.close()


def test_request_repeated_by_processes_makes_one_run(store: StoreSettings, registry: Registry) -> None:
    in_processes(PROCESSES, queue_with_keys, store.registry_url)
    assert len(registry.runs.newest(100)) == 10


def train_all(url: str, together: Barrier) -> None:
    """Lease and publish until every run has ended."""
    registry = Registry(url)
    checkpoint = make_checkpoint()
    together.wait(DEADLINE_S)
    while any(run.state in ("queued", "running") for run in registry.runs.newest(100)):
        if leased := registry.runs.claim(LONG_S, OWNER, at_once=3):
            registry.runs.record_progress(leased, progress_at(100))
            registry.publish(leased, checkpoint, promoted)
    registry.close()


def test_processes_train_every_run_once(store: StoreSettings, registry: Registry) -> None:
    # given
    for _ in range(12):
        queue(registry)
    # when
    in_processes(PROCESSES, train_all, store.registry_url)
    # then
    runs = registry.runs.newest(100)
    assert {(run.state, run.attempt) for run in runs} == {("succeeded", 1)}
    assert sorted(run.version or 0 for run in runs) == list(range(1, 13))
    assert [len(registry.runs.progress(run.id)) for run in runs] == [1] * 12
    assert sorted(promotion.version for promotion in registry.versions.promotions(100)) == list(range(1, 13))


def lease_and_hang(url: str, hanging: Event) -> None:
    registry = Registry(url)
    lease(registry, lease_s=0.2)
    hanging.set()
    threading.Event().wait()


def publish_and_hang(url: str, hanging: Event) -> None:
    registry = Registry(url)

    def decide(served: bytes | None) -> Decision:
        hanging.set()
        threading.Event().wait()
        return promoted(served)

    registry.publish(lease(registry, lease_s=0.2), make_checkpoint(), decide)


def test_run_of_killed_trainers_is_queued_once_and_then_fails(store: StoreSettings, registry: Registry) -> None:
    # given
    queue(registry)
    # when: a trainer is killed, and another takes the run when the lease has ended, and is killed too
    kill_while_hanging(lease_and_hang, store.registry_url)
    assert registry.runs.get(1).state == "running"
    wait_until(lambda: registry.runs.workload().claimable(), "the lease of the killed trainer ends")
    kill_while_hanging(lease_and_hang, store.registry_url)
    assert registry.runs.get(1).attempt == 2
    wait_until(lambda: registry.runs.workload().claimable(), "the lease of the second ends")
    # then
    assert registry.runs.claim(LONG_S, OWNER) is None
    assert (registry.runs.get(1).state, registry.runs.get(1).error_type) == ("failed", "trainer_died")


def test_trainer_killed_while_it_publishes_leaves_the_state_before(
    store: StoreSettings, registry: Registry, checkpoint: Checkpoint
) -> None:
    # given
    queue(registry)
    # when
    kill_while_hanging(publish_and_hang, store.registry_url)
    # then: nothing of the publication is there, and nothing is locked
    assert (registry.runs.get(1).state, registry.versions.newest(10), registry.versions.served()) == (
        "running",
        [],
        None,
    )
    wait_until(lambda: registry.runs.workload().claimable(), "the lease of the killed trainer ends")
    version = registry.publish(lease(registry), checkpoint, promoted).version
    assert [kept.version for kept in registry.versions.newest(10)] == [version]  # PostgreSQL uses no number again
