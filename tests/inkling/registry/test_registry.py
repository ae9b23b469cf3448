import multiprocessing
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path

import pytest

from inkling.errors import (
    IdempotencyKeyError,
    LeaseLostError,
    QueueFullError,
    RegistryError,
    RunFinishedError,
    UnknownRunError,
    UnknownVersionError,
)
from inkling.network.checkpoint import Checkpoint
from inkling.network.recipe import TUTORIAL, Recipe
from inkling.registry.records import Decision, Lease, Progress, Run
from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from tests.support.networks import make_checkpoint, random_parameters
from tests.support.postgres import BACKENDS, Postgres
from tests.support.processes import DEADLINE_S, wait_until

SHORT = TUTORIAL.with_overrides({"training_steps": 200})
LONG_S = 600.0
OWNER = "tests"
PROCESSES = 4
spawn = multiprocessing.get_context("spawn")


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """Every test of the registry is run on each database."""
    return str(request.param)


def queue(registry: Registry, key: str | None = None) -> Run:
    run, _ = registry.runs.queue(SHORT, "if_better", max_queued=1000, idempotency_key=key)
    return run


def claim(registry: Registry, lease_s: float = LONG_S, run_id: int | None = None) -> Lease:
    claimed = registry.runs.claim(lease_s, OWNER, run_id)
    assert claimed is not None
    return claimed


def line(step: int) -> Progress:
    return Progress(step, loss=500.0 / step, accuracy=0.5, validation_accuracy=0.25, elapsed_s=step / 100)


def promoted(served: bytes | None) -> Decision:
    return Decision(True, "for the test")


def not_promoted(served: bytes | None) -> Decision:
    return Decision(False, "not for the test")


# the queue


def test_queued_run_waits_with_its_recipe(registry: Registry) -> None:
    # when
    run, is_new = registry.runs.queue(SHORT, "always", max_queued=1)
    # then
    assert is_new
    assert (run.id, run.state, run.recipe, run.promote) == (1, "queued", SHORT, "always")
    assert (run.step, run.total_steps, run.attempt) == (0, 200, 0)
    assert run.requested_at.utcoffset() == timedelta(0)
    assert datetime.now(UTC) - run.requested_at < timedelta(minutes=1)
    assert {run.started_at, run.finished_at, run.lease_expires_at, run.error_type, run.error, run.version} == {None}
    assert registry.runs.get(1) == run


class RecipeOfAnotherRelease(Recipe):
    momentum: float = 0.9


def test_run_whose_recipe_has_a_field_of_another_release_is_read(registry: Registry) -> None:
    recipe = RecipeOfAnotherRelease(**SHORT.model_dump())
    registry.runs.queue(recipe, "always", max_queued=1)
    assert registry.runs.get(1).recipe == SHORT
    assert claim(registry).run.recipe == SHORT


def test_full_queue_takes_no_run(registry: Registry) -> None:
    queue(registry)
    queue(registry)
    with pytest.raises(QueueFullError, match="2 runs wait already, the limit is 2"):
        registry.runs.queue(SHORT, "never", max_queued=2)
    assert len(registry.runs.newest(10)) == 2


def test_run_being_trained_does_not_fill_the_queue(registry: Registry) -> None:
    queue(registry)
    claim(registry)
    assert registry.runs.queue(SHORT, "never", max_queued=1)[1]


def test_repeated_request_gets_the_same_run(registry: Registry) -> None:
    first, is_new = registry.runs.queue(SHORT, "never", max_queued=9, idempotency_key="k")
    again, is_new_again = registry.runs.queue(SHORT, "never", max_queued=9, idempotency_key="k")
    assert (is_new, is_new_again, again) == (True, False, first)
    assert queue(registry, "another").id != first.id


def test_repeated_request_is_answered_by_a_full_queue(registry: Registry) -> None:
    run, _ = registry.runs.queue(SHORT, "never", max_queued=1, idempotency_key="k")
    assert registry.runs.queue(SHORT, "never", max_queued=1, idempotency_key="k") == (run, False)


def test_repeated_request_finds_a_run_that_has_ended(registry: Registry) -> None:
    run = queue(registry, "k")
    registry.runs.cancel(run.id)
    assert queue(registry, "k").state == "cancelled"


def test_key_of_another_request_is_refused(registry: Registry) -> None:
    registry.runs.queue(SHORT, "never", max_queued=9, idempotency_key="k")
    with pytest.raises(IdempotencyKeyError, match="'k' was used for another request, which made run 1"):
        registry.runs.queue(SHORT, "always", max_queued=9, idempotency_key="k")
    with pytest.raises(IdempotencyKeyError):
        registry.runs.queue(TUTORIAL, "never", max_queued=9, idempotency_key="k")
    assert len(registry.runs.newest(10)) == 1


def test_requests_without_a_key_are_all_new(registry: Registry) -> None:
    assert queue(registry).id != queue(registry).id


def test_runs_are_listed_newest_first_page_by_page(registry: Registry) -> None:
    for _ in range(5):
        queue(registry)
    assert [run.id for run in registry.runs.newest(limit=2)] == [5, 4]
    assert [run.id for run in registry.runs.newest(limit=2, before=4)] == [3, 2]
    assert [run.id for run in registry.runs.newest(limit=2, before=2)] == [1]
    assert registry.runs.newest(limit=2, before=1) == []


def test_what_is_unknown_is_named(registry: Registry) -> None:
    for ask in (registry.runs.get, registry.runs.cancel):
        with pytest.raises(UnknownRunError, match="there is no run 7"):
            ask(7)
    for look in (
        registry.versions.get,
        registry.versions.checkpoint,
        lambda version: registry.versions.promote(version, "why"),
    ):
        with pytest.raises(UnknownVersionError, match="there is no version 7"):
            look(7)
    assert registry.runs.progress(7) == []


# claims


def test_oldest_queued_run_is_claimed_first(registry: Registry) -> None:
    first, _ = queue(registry), queue(registry)
    before = datetime.now(UTC)
    run = claim(registry, lease_s=60).run
    assert (run.id, run.state, run.attempt) == (first.id, "running", 1)
    assert run.started_at is not None
    assert run.lease_expires_at is not None
    assert before <= run.started_at
    assert timedelta(seconds=59) < run.lease_expires_at - run.started_at < timedelta(seconds=61)


def test_empty_queue_gives_no_claim(registry: Registry) -> None:
    assert registry.runs.claim(LONG_S, OWNER) is None


def test_named_run_is_claimed_before_older_ones(registry: Registry) -> None:
    queue(registry)
    second = queue(registry)
    assert claim(registry, run_id=second.id).run.id == second.id


def test_named_run_that_does_not_wait_is_not_claimed(registry: Registry) -> None:
    run = queue(registry)
    queue(registry)
    registry.runs.cancel(run.id)
    assert registry.runs.claim(LONG_S, OWNER, run.id) is None
    assert registry.runs.claim(LONG_S, OWNER, 99) is None


def test_one_run_is_trained_at_a_time(registry: Registry) -> None:
    queue(registry)
    queue(registry)
    first = claim(registry)
    assert registry.runs.claim(LONG_S, OWNER) is None
    registry.runs.fail(first, "internal", "for the test")
    assert claim(registry).run.id == 2


def test_run_being_trained_is_known(registry: Registry) -> None:
    assert registry.runs.running() is None
    queue(registry)
    assert registry.runs.running() is None
    mine = claim(registry)
    assert registry.runs.running() == mine.run
    registry.runs.cancel(1)
    assert registry.runs.running() is None


def test_cancelled_run_is_never_claimed(registry: Registry) -> None:
    cancelled, waiting = queue(registry), queue(registry)
    registry.runs.cancel(cancelled.id)
    assert claim(registry).run.id == waiting.id


def end_by_cancel(registry: Registry, mine: Lease) -> None:
    registry.runs.cancel(mine.run.id)


def end_by_failure(registry: Registry, mine: Lease) -> None:
    registry.runs.fail(mine, "internal", "for the test")


def end_by_success(registry: Registry, mine: Lease) -> None:
    registry.publish(mine, make_checkpoint(), not_promoted)


def end_by_release(registry: Registry, mine: Lease) -> None:
    registry.runs.release(mine)


def end_by_another_claim(registry: Registry, mine: Lease) -> None:
    registry.runs.release(mine)
    claim(registry)


@pytest.mark.parametrize(
    "end",
    [end_by_cancel, end_by_failure, end_by_success, end_by_release, end_by_another_claim],
    ids=lambda f: f.__name__,
)
def test_trainer_that_lost_its_run_writes_nothing(
    registry: Registry, checkpoint: Checkpoint, end: Callable[[Registry, Lease], None]
) -> None:
    # given
    queue(registry)
    mine = claim(registry)
    end(registry, mine)
    run, versions = registry.runs.get(mine.run.id), registry.versions.newest(10)
    # when
    for write in (
        lambda: registry.runs.renew_lease(mine, LONG_S),
        lambda: registry.runs.record_progress(mine, line(100)),
        lambda: registry.runs.fail(mine, "internal", "too late"),
        lambda: registry.publish(mine, checkpoint, promoted),
    ):
        with pytest.raises(LeaseLostError, match="run 1 is no longer this trainer's"):
            write()
    registry.runs.release(mine)
    # then
    assert registry.runs.get(mine.run.id) == run
    assert (registry.versions.newest(10), registry.versions.served(), registry.runs.progress(run.id)) == (
        versions,
        None,
        [],
    )


@pytest.mark.parametrize("end", [end_by_cancel, end_by_failure, end_by_success], ids=lambda f: f.__name__)
def test_ended_run_cannot_be_cancelled(registry: Registry, end: Callable[[Registry, Lease], None]) -> None:
    queue(registry)
    end(registry, claim(registry))
    ended = registry.runs.get(1)
    with pytest.raises(RunFinishedError, match=f"run 1 is {ended.state}: it cannot be cancelled any more"):
        registry.runs.cancel(1)
    assert registry.runs.get(1) == ended


def test_cancelled_run_says_when_and_keeps_its_progress(registry: Registry) -> None:
    queue(registry)
    registry.runs.record_progress(claim(registry), line(100))
    run = registry.runs.cancel(1)
    assert (run.state, run.step, run.lease_expires_at, run.version) == ("cancelled", 100, None, None)
    assert run.finished_at is not None
    assert registry.runs.progress(1) == [line(100)]


def test_failed_run_says_why(registry: Registry) -> None:
    queue(registry)
    registry.runs.fail(claim(registry), "dataset", "there are no digits")
    run = registry.runs.get(1)
    assert (run.state, run.error_type, run.error) == ("failed", "dataset", "there are no digits")
    assert (run.lease_expires_at, run.version) == (None, None)
    assert run.finished_at is not None


def test_released_run_waits_as_if_it_had_not_been_claimed(registry: Registry) -> None:
    queued = queue(registry)
    mine = claim(registry)
    registry.runs.record_progress(mine, line(100))
    registry.runs.release(mine)
    assert registry.runs.get(1) == replace(queued, started_at=mine.run.started_at)
    assert registry.runs.progress(1) == []


def test_progress_is_listed_in_the_order_of_the_steps(registry: Registry) -> None:
    queue(registry)
    mine = claim(registry)
    without_validation = Progress(200, loss=1.5, accuracy=1.0, validation_accuracy=None, elapsed_s=2.0)
    for progress in (line(100), without_validation):
        registry.runs.record_progress(mine, progress)
    assert registry.runs.progress(1) == [line(100), without_validation]
    assert registry.runs.get(1).step == 200


def test_renewed_lease_ends_later(registry: Registry) -> None:
    queue(registry)
    mine = claim(registry, lease_s=60)
    registry.runs.renew_lease(mine, 600)
    first, second = mine.run.lease_expires_at, registry.runs.get(1).lease_expires_at
    assert first is not None
    assert second is not None
    assert timedelta(seconds=500) < second - first < timedelta(seconds=700)


# trainers that die


def test_dead_trainers_run_is_queued_once_and_then_fails(registry: Registry) -> None:
    # given: a trainer that dies without a word
    queue(registry)
    registry.runs.record_progress(claim(registry, lease_s=0), line(100))
    # when: another takes the run and dies too
    second = claim(registry, lease_s=0)
    assert (second.run.id, second.run.attempt, second.run.step, registry.runs.progress(1)) == (1, 2, 0, [])
    # then
    assert registry.runs.claim(LONG_S, OWNER) is None
    run = registry.runs.get(1)
    assert (run.state, run.attempt, run.error_type, run.lease_expires_at) == ("failed", 2, "trainer_died", None)
    assert run.finished_at is not None
    assert "2 times" in (run.error or "")


def test_dead_trainers_run_is_taken_before_younger_ones(registry: Registry) -> None:
    queue(registry)
    queue(registry)
    claim(registry, lease_s=0)
    assert claim(registry).run.id == 1


def test_run_given_up_makes_way_for_the_next(registry: Registry) -> None:
    queue(registry)
    queue(registry)
    for _ in range(2):
        assert claim(registry, lease_s=0).run.id == 1
    assert claim(registry).run.id == 2
    assert registry.runs.get(1).state == "failed"


def test_trainer_that_was_only_slow_keeps_its_run(registry: Registry) -> None:
    queue(registry)
    mine = claim(registry, lease_s=0)
    registry.runs.record_progress(mine, line(100))
    registry.runs.renew_lease(mine, LONG_S)
    assert registry.runs.claim(LONG_S, OWNER) is None
    assert registry.runs.get(1).state == "running"


def test_trainer_that_was_too_slow_loses_its_run(registry: Registry, checkpoint: Checkpoint) -> None:
    queue(registry)
    slow = claim(registry, lease_s=0)
    quick = claim(registry)
    with pytest.raises(LeaseLostError):
        registry.publish(slow, checkpoint, promoted)
    registry.publish(quick, checkpoint, promoted)
    assert [version.run_id for version in registry.versions.newest(10)] == [1]


def test_stop_after_a_death_does_not_count_as_an_attempt(registry: Registry) -> None:
    queue(registry)
    claim(registry, lease_s=0)
    registry.runs.release(claim(registry))
    assert registry.runs.get(1).attempt == 1
    assert claim(registry).run.attempt == 2


def test_there_is_work_for_a_trainer_only_when_it_could_claim_a_run(registry: Registry) -> None:
    assert not registry.runs.has_work()
    queue(registry)
    assert registry.runs.has_work()
    mine = claim(registry)
    assert not registry.runs.has_work()
    queue(registry)
    assert not registry.runs.has_work()
    registry.runs.release(mine)
    assert registry.runs.has_work()
    registry.runs.cancel(1)
    registry.runs.cancel(2)
    assert not registry.runs.has_work()


def test_dead_trainers_run_is_work(registry: Registry) -> None:
    queue(registry)
    claim(registry, lease_s=0)
    assert registry.runs.has_work()


# versions and promotions


def test_published_version_ends_its_run(registry: Registry, checkpoint: Checkpoint) -> None:
    # given
    queue(registry)
    # when
    version = registry.publish(claim(registry), checkpoint, promoted)
    # then
    assert (version.version, version.run_id, version.origin, version.digest) == (1, 1, "run", checkpoint.digest)
    assert version.evaluation == checkpoint.card.evaluation
    assert version.created_at.utcoffset() == timedelta(0)
    assert datetime.now(UTC) - version.created_at < timedelta(minutes=1)
    assert registry.versions.get(1) == version
    assert registry.versions.checkpoint(1) == checkpoint.content
    run = registry.runs.get(1)
    assert (run.state, run.step, run.version, run.decision) == ("succeeded", 200, 1, "for the test")
    assert (run.error_type, run.lease_expires_at) == (None, None)
    assert run.finished_at is not None


def test_promoted_version_is_served(registry: Registry, checkpoint: Checkpoint) -> None:
    queue(registry)
    registry.publish(claim(registry), checkpoint, promoted)
    served = registry.versions.served()
    assert served is not None
    assert (served.version, served.policy, served.reason) == (1, "if_better", "for the test")
    assert served.promoted_at.utcoffset() == timedelta(0)


def test_version_that_is_not_promoted_is_kept_but_not_served(registry: Registry, checkpoint: Checkpoint) -> None:
    registry.versions.add_first(checkpoint)
    queue(registry)
    registry.publish(claim(registry), make_checkpoint(random_parameters(1)), not_promoted)
    served = registry.versions.served()
    assert served is not None
    assert (served.version, len(registry.versions.newest(10))) == (1, 2)
    assert registry.runs.get(1).decision == "not for the test"


def test_decision_is_made_on_the_served_checkpoint(registry: Registry, checkpoint: Checkpoint) -> None:
    # given: an empty registry
    seen: list[bytes | None] = []

    def decide(served: bytes | None) -> Decision:
        seen.append(served)
        return Decision(len(seen) == 1, "for the test")

    # when: one version is promoted, the next is not, and then a third comes
    for seed in range(3):
        queue(registry)
        registry.publish(claim(registry), make_checkpoint(random_parameters(seed)), decide)
    # then
    assert seen == [None, registry.versions.checkpoint(1), registry.versions.checkpoint(1)]


def test_decision_that_raises_publishes_nothing(registry: Registry, checkpoint: Checkpoint) -> None:
    queue(registry)
    mine = claim(registry)

    def decide(served: bytes | None) -> Decision:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        registry.publish(mine, checkpoint, decide)
    assert (registry.runs.get(1).state, registry.versions.newest(10)) == ("running", [])
    version = registry.publish(mine, checkpoint, promoted)  # PostgreSQL does not use the first's number again
    assert (registry.runs.get(1).version, registry.versions.newest(10)) == (version.version, [version])


def test_shipped_checkpoint_is_the_first_version_of_an_empty_registry_only(
    registry: Registry, checkpoint: Checkpoint
) -> None:
    for _ in range(2):
        registry.versions.add_first(checkpoint)
    versions, served = registry.versions.newest(10), registry.versions.served()
    assert [(version.version, version.origin, version.run_id) for version in versions] == [(1, "shipped", None)]
    assert served is not None
    assert (served.version, served.policy) == (1, "shipped")


def test_versions_and_promotions_are_listed_newest_first_page_by_page(registry: Registry) -> None:
    for seed in range(4):
        queue(registry)
        registry.publish(claim(registry), make_checkpoint(random_parameters(seed)), promoted)
    assert [version.version for version in registry.versions.newest(limit=2)] == [4, 3]
    assert [version.version for version in registry.versions.newest(limit=2, before=3)] == [2, 1]
    assert [promotion.version for promotion in registry.versions.promotions(limit=2)] == [4, 3]
    assert [promotion.version for promotion in registry.versions.promotions(limit=2, before=3)] == [2, 1]


def test_older_version_is_promoted_back(registry: Registry) -> None:
    for seed in range(2):
        queue(registry)
        registry.publish(claim(registry), make_checkpoint(random_parameters(seed)), promoted)
    promotion = registry.versions.promote(1, "the new one misreads sevens")
    assert (promotion.version, promotion.policy) == (1, "manual")
    assert registry.versions.served() == promotion
    assert [entry.version for entry in registry.versions.promotions(10)] == [1, 2, 1]


def test_served_version_promoted_again_changes_nothing(registry: Registry, checkpoint: Checkpoint) -> None:
    registry.versions.add_first(checkpoint)
    assert registry.versions.promote(1, "again") == registry.versions.served()
    assert len(registry.versions.promotions(10)) == 1


def test_first_promotion_by_hand_serves_a_version(registry: Registry, checkpoint: Checkpoint) -> None:
    queue(registry)
    registry.publish(claim(registry), checkpoint, not_promoted)
    assert registry.versions.served() is None
    registry.versions.promote(1, "by hand")
    served = registry.versions.served()
    assert served is not None
    assert served.version == 1


def test_registry_opened_again_holds_everything(
    store: StoreSettings, registry: Registry, checkpoint: Checkpoint
) -> None:
    queue(registry, "k")
    mine = claim(registry)
    registry.runs.record_progress(mine, line(100))
    registry.publish(mine, checkpoint, promoted)
    again = Registry(store.registry_url)
    assert again.runs.newest(10) == registry.runs.newest(10)
    assert again.runs.progress(1) == registry.runs.progress(1)
    assert again.versions.newest(10) == registry.versions.newest(10)
    assert again.versions.promotions(10) == registry.versions.promotions(10)
    assert again.versions.checkpoint(1) == checkpoint.content
    again.close()


def test_every_refusal_is_a_registry_error() -> None:
    errors = {QueueFullError, IdempotencyKeyError, LeaseLostError, RunFinishedError, UnknownRunError}
    assert all(issubclass(error, RegistryError) for error in {*errors, UnknownVersionError})


# threads


def in_threads(count: int, act: Callable[[int], None]) -> None:
    """Call `act` with 0, 1, 2 ... in as many threads at the same moment; raise what one of them raised."""
    together = threading.Barrier(count)
    raised: list[BaseException] = []

    def run(index: int) -> None:
        together.wait(DEADLINE_S)
        try:
            act(index)
        except BaseException as error:  # raised again below, where pytest sees it
            raised.append(error)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    if raised:
        raise raised[0]


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
    claims: list[Lease | None] = []
    in_threads(8, lambda _: claims.append(registry.runs.claim(LONG_S, OWNER)))
    assert [mine.run.id for mine in claims if mine] == [1]


def test_threads_add_one_first_version(registry: Registry, checkpoint: Checkpoint) -> None:
    in_threads(8, lambda _: registry.versions.add_first(checkpoint))
    assert len(registry.versions.newest(10)) == len(registry.versions.promotions(10)) == 1


def test_run_is_either_cancelled_or_published(registry: Registry, checkpoint: Checkpoint) -> None:
    for _ in range(5):
        # given
        run = queue(registry)
        mine = claim(registry)
        ends: list[str] = []

        # when: its trainer publishes while a client cancels
        def end(index: int, run: Run = run, mine: Lease = mine, ends: list[str] = ends) -> None:
            try:
                if index:
                    registry.publish(mine, checkpoint, promoted)
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


def test_reader_never_sees_half_a_publication(registry: Registry) -> None:
    # given: a reader that watches while versions are published and promoted
    ended = threading.Event()
    halves: list[str] = []

    def watch() -> None:
        while not ended.is_set():
            run = registry.runs.newest(1)[0]
            if run.state != "succeeded":
                continue
            served = registry.versions.served()
            if served is None or run.version is None or served.version < run.version:
                halves.append(f"{run} {served}")

    queue(registry)
    reader = threading.Thread(target=watch)
    reader.start()
    # when
    for seed in range(10):
        registry.publish(claim(registry), make_checkpoint(random_parameters(seed)), promoted)
        queue(registry)
    ended.set()
    reader.join(DEADLINE_S)
    # then
    assert halves == []


# processes


def in_processes(act: Callable[..., None], url: str) -> None:
    """Call `act` with a URL and a barrier in several processes, and see each of them end well."""
    together = spawn.Barrier(PROCESSES)
    processes = [spawn.Process(target=act, args=(url, together)) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(DEADLINE_S)
    assert [process.exitcode for process in processes] == [0] * PROCESSES


def open_new_registries(urls: str, together: Barrier) -> None:
    try:
        for url in urls.split():
            together.wait(DEADLINE_S)
            Registry(url).close()
    except BaseException:
        together.abort()  # the others need not wait for this process
        raise


def test_processes_open_a_new_sqlite_registry_at_the_same_moment(tmp_path: Path) -> None:
    in_processes(open_new_registries, " ".join(f"sqlite:///{tmp_path}/{number}.db" for number in range(10)))
    assert len(list(tmp_path.glob("*.db"))) == 10


def test_processes_open_a_new_postgresql_registry_at_the_same_moment(postgres: Postgres) -> None:
    urls = [postgres.new_database() for _ in range(10)]
    in_processes(open_new_registries, " ".join(urls))
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
    in_processes(queue_with_keys, store.registry_url)
    assert len(registry.runs.newest(100)) == 10


def train_all(url: str, together: Barrier) -> None:
    """Lease and publish until every run has ended."""
    registry = Registry(url)
    checkpoint = make_checkpoint()
    together.wait(DEADLINE_S)
    while any(run.state in ("queued", "running") for run in registry.runs.newest(100)):
        if mine := registry.runs.claim(LONG_S, OWNER):
            registry.runs.record_progress(mine, line(100))
            registry.publish(mine, checkpoint, promoted)
    registry.close()


def test_processes_train_every_run_once(store: StoreSettings, registry: Registry) -> None:
    # given
    for _ in range(12):
        queue(registry)
    # when
    in_processes(train_all, store.registry_url)
    # then
    runs = registry.runs.newest(100)
    assert {(run.state, run.attempt) for run in runs} == {("succeeded", 1)}
    assert sorted(run.version or 0 for run in runs) == list(range(1, 13))
    assert [len(registry.runs.progress(run.id)) for run in runs] == [1] * 12
    assert sorted(promotion.version for promotion in registry.versions.promotions(100)) == list(range(1, 13))


def claim_and_hang(url: str, hanging: Event) -> None:
    registry = Registry(url)
    claim(registry, lease_s=0.2)
    hanging.set()
    threading.Event().wait()


def publish_and_hang(url: str, hanging: Event) -> None:
    registry = Registry(url)

    def decide(served: bytes | None) -> Decision:
        hanging.set()
        threading.Event().wait()
        return promoted(served)

    registry.publish(claim(registry, lease_s=0.2), make_checkpoint(), decide)


def kill_when_it_hangs(act: Callable[[str, Event], None], url: str) -> None:
    hanging = spawn.Event()
    process = spawn.Process(target=act, args=(url, hanging))
    process.start()
    assert hanging.wait(DEADLINE_S)
    process.kill()
    process.join(DEADLINE_S)


def test_run_of_killed_trainers_is_queued_once_and_then_fails(store: StoreSettings, registry: Registry) -> None:
    # given
    queue(registry)
    # when: a trainer is killed, and another takes the run when the lease has ended, and is killed too
    kill_when_it_hangs(claim_and_hang, store.registry_url)
    assert registry.runs.get(1).state == "running"
    wait_until(registry.runs.has_work, "the lease of the killed trainer ends")
    kill_when_it_hangs(claim_and_hang, store.registry_url)
    assert registry.runs.get(1).attempt == 2
    wait_until(registry.runs.has_work, "the lease of the second ends")
    # then
    assert registry.runs.claim(LONG_S, OWNER) is None
    assert (registry.runs.get(1).state, registry.runs.get(1).error_type) == ("failed", "trainer_died")


def test_trainer_killed_while_it_publishes_leaves_the_state_before(
    store: StoreSettings, registry: Registry, checkpoint: Checkpoint
) -> None:
    # given
    queue(registry)
    # when
    kill_when_it_hangs(publish_and_hang, store.registry_url)
    # then: nothing of the publication is there, and nothing is locked
    assert (registry.runs.get(1).state, registry.versions.newest(10), registry.versions.served()) == (
        "running",
        [],
        None,
    )
    wait_until(registry.runs.has_work, "the lease of the killed trainer ends")
    version = registry.publish(claim(registry), checkpoint, promoted).version
    assert [kept.version for kept in registry.versions.newest(10)] == [version]  # PostgreSQL uses no number again
