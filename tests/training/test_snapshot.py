import numpy as np
import pytest
import safetensors.numpy
from numpy.typing import NDArray

from inkling.errors import CheckpointError
from inkling.registry.records import Snapshot
from tests.support.networks import random_parameters
from training.snapshot import TrainingState

STATE = TrainingState(step=300, elapsed_s=1.25, parameters=random_parameters())


SLOTS = {
    f"{slot}/{name}": array for slot in ("averages", "first_moments") for name, array in random_parameters(1).items()
}


def snapshot_with(**tensors: NDArray[np.generic]) -> Snapshot:
    return Snapshot(300, safetensors.numpy.save({**STATE.parameters, "elapsed_s": np.array(1.25), **tensors}))


def test_state_is_restored_from_its_snapshot_bit_for_bit() -> None:
    again = TrainingState.from_snapshot(STATE.to_snapshot())
    assert (again.step, again.elapsed_s) == (300, 1.25)
    assert {name: array.tobytes() for name, array in again.parameters.items()} == {
        name: array.tobytes() for name, array in STATE.parameters.items()
    }


def test_moments_and_averages_are_restored_too() -> None:
    state = TrainingState(300, 1.25, STATE.parameters, SLOTS, feedback="5a" * 32, dataset="b6" * 32)
    again = TrainingState.from_snapshot(state.to_snapshot())
    assert again.parameters.keys() == STATE.parameters.keys()
    assert again.feedback == state.feedback
    assert {name: array.tobytes() for name, array in again.slots.items()} == {
        name: array.tobytes() for name, array in SLOTS.items()
    }


def test_snapshot_with_slots_of_another_network_is_refused() -> None:
    with pytest.raises(CheckpointError, match=r"biases/b1 has shape \(5,\)"):
        TrainingState.from_snapshot(snapshot_with(**{**SLOTS, "averages/biases/b1": np.zeros(5, np.float32)}))
    with pytest.raises(CheckpointError, match="expected"):
        TrainingState.from_snapshot(snapshot_with(**SLOTS, **{"averages/biases/b3": np.zeros(5, np.float32)}))


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.5, 0.999999])
def test_truncated_snapshot_is_refused(share: float) -> None:
    whole = STATE.to_snapshot()
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        TrainingState.from_snapshot(Snapshot(300, whole.state[: int(len(whole.state) * share)]))


def test_bytes_that_are_no_snapshot_are_refused() -> None:
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        TrainingState.from_snapshot(Snapshot(300, b"\x80\x04pickle"))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_snapshot_that_is_not_finite_is_refused(value: float) -> None:
    parameters = random_parameters()
    parameters["biases/b2"][3] = value
    with pytest.raises(CheckpointError, match="biases/b2 holds values that are not finite"):
        TrainingState.from_snapshot(snapshot_with(**parameters))


def test_snapshot_of_another_network_is_refused() -> None:
    with pytest.raises(CheckpointError, match="weights/out has shape"):
        TrainingState.from_snapshot(snapshot_with(**{"weights/out": np.zeros((256, 11), np.float32)}))
    with pytest.raises(CheckpointError, match="weights/h3"):
        TrainingState.from_snapshot(snapshot_with(**{"weights/h3": np.zeros((1, 1), np.float32)}))


def test_snapshot_without_its_elapsed_time_is_refused() -> None:
    with pytest.raises(CheckpointError, match="elapsed_s is missing"):
        TrainingState.from_snapshot(Snapshot(300, safetensors.numpy.save(dict(STATE.parameters))))
    with pytest.raises(CheckpointError, match="elapsed_s is missing"):
        TrainingState.from_snapshot(snapshot_with(elapsed_s=np.zeros(2)))


def test_snapshot_of_version_0_1_is_still_read() -> None:
    # given: the tensors under the names that 0.1 wrote
    moments = {
        f"{slot}/{name}": array
        for slot in ("first_moments", "second_moments", "averages")
        for name, array in random_parameters(2).items()
    }
    state = safetensors.numpy.save({**STATE.parameters, **moments, "elapsed_s": np.array(1.25)})
    # then
    again = TrainingState.from_snapshot(Snapshot(300, state))
    assert (again.step, again.elapsed_s) == (300, 1.25)
    assert again.slots.keys() == moments.keys()
