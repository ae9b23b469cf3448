"""Runs trained by a worker in this process."""

from dataclasses import replace
from pathlib import Path

import pytest

from inkling.network.checkpoint import Checkpoint, load
from inkling.network.recipe import TUTORIAL
from inkling.registry.records import Lease, Progress, PromotePolicy
from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from tests.support.networks import make_checkpoint, parameters_that_read
from tests.support.runs import LONG_S, OWNER, SMALL, claim, published, queue
from training.process import StopRequested, StopSignal
from training.worker import Worker


@pytest.fixture
def worker(registry: Registry, store: StoreSettings) -> Worker:
    return Worker(registry, store, StopSignal())


@pytest.mark.train
def test_trained_run_publishes_a_version_with_its_progress(
    registry: Registry, worker: Worker, shipped: Checkpoint
) -> None:
    # given
    shown: list[Progress] = []
    # when
    run = worker.train(claim(registry), shown.append)
    # then: the network that ships was there first, and is compared with
    assert (run.state, run.step, run.version) == ("succeeded", 200, 2)
    assert (registry.versions.get(1).origin, registry.versions.get(1).digest) == ("shipped", shipped.digest)
    assert [line.step for line in shown] == [100, 200]
    assert registry.runs.progress(run.id) == shown
    card = load(registry.versions.checkpoint(2)).card
    assert (card.recipe, card.dataset) == (SMALL, "custom")
    assert card.evaluation == registry.versions.get(2).evaluation
    decision, first = registry.versions.promotions(10)
    assert (first.version, first.is_promoted) == (1, True)
    assert (decision.version, decision.policy, decision.compared_with) == (2, "if_better", 1)
    assert decision.comparison is not None


@pytest.mark.train
@pytest.mark.parametrize(("promote", "is_served"), [("always", True), ("if_better", True), ("never", False)])
def test_promote_policy_decides_what_is_served(
    registry: Registry, worker: Worker, promote: PromotePolicy, is_served: bool
) -> None:
    # given: a served version that reads a 3 in every image, worse than any training
    registry.versions.add_first(make_checkpoint(parameters_that_read(3)))
    # when
    run = worker.train(claim(registry, promote))
    # then
    served = registry.versions.served()
    assert served is not None
    assert (run.state, run.version, served.version) == ("succeeded", 2, 2 if is_served else 1)
    assert (run.decision == served.reason) == is_served


def test_run_without_data_fails_and_says_what_is_missing(registry: Registry, tmp_path: Path) -> None:
    settings = StoreSettings(data_dir=tmp_path / "data", mnist_dir=tmp_path / "nowhere")
    run = Worker(registry, settings, StopSignal()).train(claim(registry))
    assert (run.state, run.error_type, run.version) == ("failed", "dataset", None)
    assert str(tmp_path / "nowhere") in (run.error or "")
    assert "lacks train-images-idx3-ubyte" in (run.error or "")


@pytest.mark.train
def test_run_with_nothing_left_to_train_on_fails(registry: Registry, worker: Worker) -> None:
    registry.runs.queue(TUTORIAL, "never", max_queued=1)  # holds out 5,000 images, more than the dataset has
    lease = registry.runs.claim(LONG_S, OWNER)
    assert lease is not None
    run = worker.train(lease)
    assert (run.state, run.error_type) == ("failed", "dataset")
    assert "validation_size 5000 leaves nothing to train on" in (run.error or "")


@pytest.mark.train
def test_diverged_run_fails_and_keeps_what_is_served(registry: Registry, worker: Worker) -> None:
    # given: a learning rate above the limit of a recipe, because no allowed one makes the loss infinite
    registry.versions.add_first(make_checkpoint())
    lease = claim(registry, "always")
    absurd = replace(lease, run=replace(lease.run, recipe=SMALL.model_copy(update={"learning_rate": 3e38})))
    # when
    run = worker.train(absurd)
    # then
    served = registry.versions.served()
    assert served is not None
    assert (run.state, run.error_type, served.version) == ("failed", "diverged", 1)
    assert "the learning rate 3e+38 is too high" in (run.error or "")


@pytest.mark.train
def test_cancelled_run_stops_and_publishes_nothing(registry: Registry, worker: Worker) -> None:
    shown: list[int] = []

    def cancel(progress: Progress) -> None:
        shown.append(progress.step)
        registry.runs.cancel(1)

    run = worker.train(claim(registry), cancel)
    assert (run.state, run.version, shown, published(registry)) == ("cancelled", None, [100], [])


@pytest.mark.train
def test_run_cancelled_after_its_last_step_publishes_nothing(registry: Registry, worker: Worker) -> None:
    def cancel(progress: Progress) -> None:
        if progress.step == SMALL.training_steps:
            registry.runs.cancel(1)

    run = worker.train(claim(registry), cancel)
    assert (run.state, published(registry)) == ("cancelled", [])


@pytest.mark.train
def test_run_claimed_by_another_trainer_is_left_to_it(registry: Registry, worker: Worker) -> None:
    # given: a lease that expires at once
    lease = claim(registry, lease_s=0)
    others: list[Lease | None] = []

    def take(progress: Progress) -> None:
        others.append(registry.runs.claim(LONG_S, OWNER))

    # when: another trainer claims the run while the first still trains it
    run = worker.train(lease, take)
    # then
    assert [other.run.id for other in others if other] == [run.id]
    assert (run.state, run.attempt, published(registry)) == ("running", 2, [])


@pytest.mark.train
@pytest.mark.parametrize("stop", [StopRequested, KeyboardInterrupt])
def test_stopped_run_goes_back_to_the_queue(registry: Registry, worker: Worker, stop: type[BaseException]) -> None:
    def ask_to_stop(progress: Progress) -> None:
        raise stop

    with pytest.raises(stop):
        worker.train(claim(registry), ask_to_stop)
    run = registry.runs.get(1)
    assert (run.state, run.attempt, run.step, registry.runs.progress(1)) == ("queued", 0, 0, [])


@pytest.mark.train
def test_unexpected_error_fails_the_run_and_is_logged(
    registry: Registry, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(progress: Progress) -> None:
        raise ZeroDivisionError

    run = worker.train(claim(registry), fail)
    assert (run.state, run.error_type, run.error) == ("failed", "internal", "ZeroDivisionError")
    assert [record.exc_info is not None for record in caplog.records if "run 1: failed" in record.message] == [True]


@pytest.mark.train
def test_failure_of_a_run_that_was_cancelled_leaves_it_cancelled(
    registry: Registry, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    def cancel_and_fail(progress: Progress) -> None:
        registry.runs.cancel(1)
        raise ZeroDivisionError

    run = worker.train(claim(registry), cancel_and_fail)
    assert (run.state, run.error_type) == ("cancelled", None)
    assert "run 1: cannot record its failure" in caplog.text


@pytest.mark.train
def test_run_with_synthetic_digits_logs_and_records_that_it_draws_them(
    registry: Registry, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    # given
    seen: dict[int, str | None] = {}

    def look(drawn: int, total: int) -> None:
        seen[drawn] = registry.runs.get(1).preparing if drawn < 2 else None

    queue(registry, SMALL.with_overrides({"synthetic": 0.1, "training_steps": 1}))
    lease = registry.runs.claim(LONG_S, OWNER)
    assert lease is not None
    # when
    with caplog.at_level("INFO"):
        run = worker.train(lease, on_drawn=look)
    # then: the record names it while it lasts
    assert run.state == "succeeded"
    assert run.preparing is None
    assert [message for message in caplog.messages if "drawing" in message] == ["run 1: drawing 150 synthetic digits"]
    assert list(seen) == list(range(151))
    assert (seen[0], seen[1]) == ("loading TensorFlow", "drawing synthetic digits: 0 of 150")
