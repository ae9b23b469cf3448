import threading

from inkling.errors import LeaseLostError, QueueFullError, RunFinishedError
from inkling.network.checkpoint import Checkpoint
from inkling.registry.records import Decision, Lease, Run
from inkling.registry.registry import Registry
from inkling.registry.run_changes import lock_run
from tests.support.concurrency import in_threads
from tests.support.leases import LONG_S, OWNER, SHORT, lease, not_promoted, promoted, queue
from tests.support.networks import make_checkpoint, random_parameters
from tests.support.processes import DEADLINE_S


def test_request_repeated_by_threads_makes_one_run(registry: Registry) -> None:
    answers: list[tuple[Run, bool]] = []
    in_threads(8, lambda _: answers.append(registry.runs.queue(SHORT, "never", 100, "k")))
    assert {run.id for run, _ in answers} == {1}
    assert sorted(is_new for _, is_new in answers) == [False] * 7 + [True]


def test_threads_never_overfill_the_queue(registry: Registry) -> None:
    refused: list[str] = []

    def ask(index: int) -> None:
        try:
            registry.runs.queue(SHORT, "never", max_queued=3)
        except QueueFullError as error:
            refused.append(str(error))

    in_threads(8, ask)
    assert (len(registry.runs.newest(10)), len(refused)) == (3, 5)


def test_one_thread_gets_the_run(registry: Registry) -> None:
    queue(registry)
    queue(registry)
    leases: list[Lease | None] = []
    in_threads(8, lambda _: leases.append(registry.runs.claim(LONG_S, OWNER)))
    assert [leased.run.id for leased in leases if leased] == [1]


def test_threads_never_train_more_runs_than_allowed(registry: Registry) -> None:
    for _ in range(8):
        queue(registry)
    leases: list[Lease | None] = []
    in_threads(8, lambda _: leases.append(registry.runs.claim(LONG_S, OWNER, at_once=3)))
    assert sorted(leased.run.id for leased in leases if leased) == [1, 2, 3]


def test_run_that_is_being_changed_is_left_to_the_one_who_changes_it(registry: Registry, backend: str) -> None:
    """SQLite has one lock for all, so nobody finds a row locked there."""
    queue(registry)
    queue(registry)
    changing, claimed = threading.Event(), threading.Event()

    def change() -> None:
        with registry._database.write() as connection:
            lock_run(connection, 1)
            changing.set()
            claimed.wait(DEADLINE_S if backend == "postgresql" else 0)

    thread = threading.Thread(target=change)
    thread.start()
    assert changing.wait(DEADLINE_S)
    leased = registry.runs.claim(LONG_S, OWNER)
    claimed.set()
    thread.join(DEADLINE_S)
    assert leased is not None
    assert leased.run.id == (2 if backend == "postgresql" else 1)


def test_version_promoted_during_the_comparison_is_compared_with(registry: Registry) -> None:
    # given: a served version, and a trained run
    first, second = (make_checkpoint(random_parameters(seed)) for seed in (1, 2))
    registry.versions.add_first(first)
    other = registry.versions.add_upload(second)
    queue(registry)
    leased = lease(registry)
    compared: list[bytes | None] = []

    # when: another version is promoted while the run's version is compared with the served one
    def decide(served: bytes | None) -> Decision:
        compared.append(served)
        if len(compared) == 1:
            registry.versions.promote(other.version, "for the test")
        return not_promoted(served)

    registry.publish(leased, make_checkpoint(random_parameters(3)), decide)
    # then: it is compared again
    assert compared == [first.content, second.content]
    assert registry.versions.promotions(1)[0].compared_with == other.version


def test_threads_add_one_first_version(registry: Registry, checkpoint: Checkpoint) -> None:
    in_threads(8, lambda _: registry.versions.add_first(checkpoint))
    assert len(registry.versions.newest(10)) == len(registry.versions.promotions(10)) == 1


def test_run_is_either_cancelled_or_published(registry: Registry, checkpoint: Checkpoint) -> None:
    for _ in range(5):
        # given
        run = queue(registry)
        leased = lease(registry)
        ends: list[str] = []

        # when: its trainer publishes while a client cancels
        def end(index: int, run: Run = run, leased: Lease = leased, ends: list[str] = ends) -> None:
            try:
                if index:
                    registry.publish(leased, checkpoint, promoted)
                    ends.append("succeeded")
                else:
                    registry.runs.cancel(run.id)
                    ends.append("cancelled")
            except (LeaseLostError, RunFinishedError):
                pass

        in_threads(2, end)
        # then
        ended = registry.runs.get(run.id)
        assert ends == [ended.state]
        assert (ended.version is None) == (ended.state == "cancelled")
    succeeded = sum(run.state == "succeeded" for run in registry.runs.newest(10))
    assert len(registry.versions.newest(10)) == len(registry.versions.promotions(10)) == succeeded


def test_reader_never_sees_a_partial_publication(registry: Registry) -> None:
    # given: a reader that watches while versions are published and promoted
    ended = threading.Event()
    partial: list[str] = []

    def watch() -> None:
        while not ended.is_set():
            run = registry.runs.newest(1)[0]
            if run.state != "succeeded":
                continue
            served = registry.versions.served()
            if served is None or run.version is None or served.version < run.version:
                partial.append(f"{run} {served}")

    queue(registry)
    reader = threading.Thread(target=watch)
    reader.start()
    # when
    for seed in range(10):
        registry.publish(lease(registry), make_checkpoint(random_parameters(seed)), promoted)
        queue(registry)
    ended.set()
    reader.join(DEADLINE_S)
    # then
    assert partial == []
