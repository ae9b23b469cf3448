"""The recipe `accurate`, shortened: Muon, augmentation, synthetic digits, averages, and resuming all of it."""

from collections.abc import Callable

import pytest

from inkling.errors import CheckpointError
from inkling.mnist import Dataset
from inkling.network.recipe import ACCURATE, TUTORIAL
from inkling.registry.records import Progress, Snapshot
from tests.support.networks import random_parameters
from tests.support.trainings import (
    Trained,
    accuracy_by_reference,
    assert_same_bytes,
    read_by_reference,
    train,
)
from training.snapshot import TrainingState

pytestmark = pytest.mark.train

BRISK = ACCURATE.with_overrides(
    {"training_steps": 300, "warmup_steps": 20, "display_step": 50, "validation_size": 500, "ema_decay": 0.9}
)


@pytest.fixture(scope="module")
def brisk(data: Dataset) -> Trained:
    return train(BRISK, data)


def test_accurate_recipe_learns_more_than_the_tutorial_in_as_few_steps(data: Dataset, brisk: Trained) -> None:
    tutorial = train(TUTORIAL.with_overrides({"training_steps": 250, "validation_size": 500}), data)
    by_tutorial = accuracy_by_reference(data, tutorial.parameters)
    assert accuracy_by_reference(data, brisk.parameters) > max(0.9, by_tutorial)


def test_accurate_training_resumes_bit_for_bit(data: Dataset, brisk: Trained) -> None:
    from training import loop

    # given: a training that is interrupted in its middle, after a snapshot
    class EnoughError(Exception):
        pass

    snapshots: list[Snapshot] = []

    def stop(progress: Progress, copy_state: Callable[[], TrainingState]) -> None:
        if progress.step == 150:
            snapshots.append(copy_state().to_snapshot())
            raise EnoughError

    with pytest.raises(EnoughError):
        loop.train(BRISK, data, stop)
    # when
    lines: list[Progress] = []
    state = TrainingState.from_snapshot(snapshots[0])
    parameters = loop.train(BRISK, data, lambda progress, _: lines.append(progress), state)
    # then
    assert_same_bytes(parameters, brisk.parameters)
    assert [line.step for line in lines] == [200, 250, 300]


def test_state_of_a_recipe_with_another_optimizer_is_refused(data: Dataset) -> None:
    from training import loop

    state = TrainingState(50, 1.0, random_parameters())
    with pytest.raises(CheckpointError, match=r"the state holds \[\], expected \['averages/biases/b1'"):
        loop.train(BRISK, data, lambda progress, _: None, state)


def test_validation_accuracy_is_of_the_averages_that_the_training_returns(data: Dataset, brisk: Trained) -> None:
    _, validation = data.hold_out(500)
    is_correct = read_by_reference(validation.images, brisk.parameters).argmax(axis=1) == validation.labels
    assert brisk.lines[-1].validation_accuracy == pytest.approx(is_correct.mean(), abs=1.5 / 500)
