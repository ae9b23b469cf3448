from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from inkling.errors import LeaseLostError, RunFinishedError
from inkling.network.checkpoint import Checkpoint
from inkling.registry.records import Lease, Progress
from inkling.registry.registry import Registry
from tests.support.leases import LONG_S, OWNER, lease, not_promoted, progress_at, promoted, queue
from tests.support.networks import make_checkpoint


def test_oldest_queued_run_is_claimed_first(registry: Registry) -> None:
    first, _ = queue(registry), queue(registry)
    before = datetime.now(UTC)
    run = lease(registry, lease_s=60).run
    assert (run.id, run.state, run.attempt) == (first.id, "running", 1)
    assert run.started_at is not None
    assert run.lease_expires_at is not None
    assert before <= run.started_at
    assert timedelta(seconds=59) < run.lease_expires_at - run.started_at < timedelta(seconds=61)


def test_empty_queue_gives_no_lease(registry: Registry) -> None:
    assert registry.runs.claim(LONG_S, OWNER) is None


def test_named_run_is_claimed_before_older_ones(registry: Registry) -> None:
    queue(registry)
    second = queue(registry)
    assert lease(registry, run_id=second.id).run.id == second.id


def test_named_run_that_is_not_queued_is_not_claimed(registry: Registry) -> None:
    run = queue(registry)
    queue(registry)
    registry.runs.cancel(run.id)
    assert registry.runs.claim(LONG_S, OWNER, run.id) is None
    assert registry.runs.claim(LONG_S, OWNER, 99) is None


def test_one_run_is_trained_at_a_time(registry: Registry) -> None:
    queue(registry)
    queue(registry)
    first = lease(registry)
    assert registry.runs.claim(LONG_S, OWNER) is None
    registry.runs.fail(first, "internal", "for the test")
    assert lease(registry).run.id == 2


def test_as_many_runs_are_trained_at_a_time_as_asked_for(registry: Registry) -> None:
    for _ in range(3):
        queue(registry)
    leases = [registry.runs.claim(LONG_S, OWNER, at_once=2) for _ in range(3)]
    assert [leased and leased.run.id for leased in leases] == [1, 2, None]
    assert [run.id for run in registry.runs.running()] == [1, 2]
    assert registry.runs.claim(LONG_S, OWNER) is None  # who allows only one waits for both
    registry.runs.cancel(1)
    third = registry.runs.claim(LONG_S, OWNER, at_once=2)
    assert third is not None
    assert third.run.id == 3


def test_running_runs_are_reported(registry: Registry) -> None:
    queue(registry)
    assert registry.runs.running() == []
    leased = lease(registry)
    assert registry.runs.running() == [leased.run]
    registry.runs.cancel(1)
    assert registry.runs.running() == []


def test_cancelled_run_is_never_claimed(registry: Registry) -> None:
    cancelled, waiting = queue(registry), queue(registry)
    registry.runs.cancel(cancelled.id)
    assert lease(registry).run.id == waiting.id


def end_by_cancel(registry: Registry, leased: Lease) -> None:
    registry.runs.cancel(leased.run.id)


def end_by_failure(registry: Registry, leased: Lease) -> None:
    registry.runs.fail(leased, "internal", "for the test")


def end_by_success(registry: Registry, leased: Lease) -> None:
    registry.publish(leased, make_checkpoint(), not_promoted)


def end_by_release(registry: Registry, leased: Lease) -> None:
    registry.runs.release(leased)


def end_by_another_claim(registry: Registry, leased: Lease) -> None:
    registry.runs.release(leased)
    lease(registry)


@pytest.mark.parametrize(
    "end",
    [end_by_cancel, end_by_failure, end_by_success, end_by_release, end_by_another_claim],
    ids=lambda f: f.__name__,
)
def test_trainer_that_lost_its_lease_writes_nothing(
    registry: Registry, checkpoint: Checkpoint, end: Callable[[Registry, Lease], None]
) -> None:
    # given
    queue(registry)
    leased = lease(registry)
    end(registry, leased)
    run, versions = registry.runs.get(leased.run.id), registry.versions.newest(10)
    # when
    for write in (
        lambda: registry.runs.renew_lease(leased, LONG_S),
        lambda: registry.runs.record_progress(leased, progress_at(100)),
        lambda: registry.runs.fail(leased, "internal", "too late"),
        lambda: registry.publish(leased, checkpoint, promoted),
    ):
        with pytest.raises(LeaseLostError, match="run 1 is no longer this trainer's"):
            write()
    registry.runs.release(leased)
    # then
    assert registry.runs.get(leased.run.id) == run
    assert (registry.versions.newest(10), registry.versions.served(), registry.runs.progress(run.id)) == (
        versions,
        None,
        [],
    )


@pytest.mark.parametrize("end", [end_by_cancel, end_by_failure, end_by_success], ids=lambda f: f.__name__)
def test_ended_run_cannot_be_cancelled(registry: Registry, end: Callable[[Registry, Lease], None]) -> None:
    queue(registry)
    end(registry, lease(registry))
    ended = registry.runs.get(1)
    with pytest.raises(RunFinishedError, match=f"run 1 is {ended.state}: it cannot be cancelled any more"):
        registry.runs.cancel(1)
    assert registry.runs.get(1) == ended


def test_cancelled_run_has_an_end_time_and_keeps_its_progress(registry: Registry) -> None:
    queue(registry)
    registry.runs.record_progress(lease(registry), progress_at(100))
    run = registry.runs.cancel(1)
    assert (run.state, run.step, run.lease_expires_at, run.version) == ("cancelled", 100, None, None)
    assert run.finished_at is not None
    assert registry.runs.progress(1) == [progress_at(100)]


def test_failed_run_has_its_error(registry: Registry) -> None:
    queue(registry)
    registry.runs.fail(lease(registry), "dataset", "there are no digits")
    run = registry.runs.get(1)
    assert (run.state, run.error_type, run.error) == ("failed", "dataset", "there are no digits")
    assert (run.lease_expires_at, run.version) == (None, None)
    assert run.finished_at is not None


def test_released_run_is_queued_as_if_it_had_not_been_claimed(registry: Registry) -> None:
    queued = queue(registry)
    leased = lease(registry)
    registry.runs.record_progress(leased, progress_at(100))
    registry.runs.release(leased)
    assert registry.runs.get(1) == replace(queued, started_at=leased.run.started_at)
    assert registry.runs.progress(1) == []


def test_progress_is_listed_in_the_order_of_the_steps(registry: Registry) -> None:
    queue(registry)
    leased = lease(registry)
    without_validation = Progress(200, loss=1.5, accuracy=1.0, validation_accuracy=None, elapsed_s=2.0)
    for progress in (progress_at(100), without_validation):
        registry.runs.record_progress(leased, progress)
    assert registry.runs.progress(1) == [progress_at(100), without_validation]
    assert registry.runs.get(1).step == 200


def test_renewed_lease_ends_later(registry: Registry) -> None:
    queue(registry)
    leased = lease(registry, lease_s=60)
    registry.runs.renew_lease(leased, 600)
    first, second = leased.run.lease_expires_at, registry.runs.get(1).lease_expires_at
    assert first is not None
    assert second is not None
    assert timedelta(seconds=500) < second - first < timedelta(seconds=700)
