import threading

from inkling.errors import LeaseLostError, QueueFullError, RunFinishedError
from inkling.network.checkpoint import Checkpoint
from inkling.registry.records import Lease, Run
from inkling.registry.registry import Registry
from tests.support.concurrency import in_threads
from tests.support.leases import LONG_S, OWNER, SHORT, lease, promoted, queue
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
