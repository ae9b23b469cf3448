from datetime import UTC, datetime, timedelta

import pytest

from inkling.errors import IdempotencyKeyError, QueueFullError
from inkling.network.recipe import TUTORIAL, Recipe
from inkling.registry.registry import Registry
from tests.support.leases import SHORT, lease, queue


def test_queued_run_has_its_recipe(registry: Registry) -> None:
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
    assert lease(registry).run.recipe == SHORT


def test_run_keeps_the_trace_of_its_request_and_its_recipe(registry: Registry) -> None:
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    registry.runs.queue(SHORT, "always", max_queued=2, idempotency_key="a", traceparent=traceparent)
    again, is_new = registry.runs.queue(SHORT, "always", max_queued=2, idempotency_key="a")
    run = lease(registry).run
    assert (run.recipe, run.traceparent, again.traceparent, is_new) == (SHORT, traceparent, traceparent, False)


def test_full_queue_refuses_a_run(registry: Registry) -> None:
    queue(registry)
    queue(registry)
    with pytest.raises(QueueFullError, match="2 runs are queued already, the limit is 2"):
        registry.runs.queue(SHORT, "never", max_queued=2)
    assert len(registry.runs.newest(10)) == 2


def test_run_being_trained_does_not_fill_the_queue(registry: Registry) -> None:
    queue(registry)
    lease(registry)
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
