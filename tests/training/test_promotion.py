import numpy as np
import pytest
from numpy.typing import NDArray

from tests.training.networks import make_checkpoint, parameters_that_read
from training.checkpoint import CheckpointError
from training.dataset import Split
from training.records import Decision, PromotePolicy

pytestmark = pytest.mark.train

THREES, FOURS = 3, 4


@pytest.fixture
def validation() -> Split:
    """Ten held-out images: seven 3s and three 4s."""
    labels: NDArray[np.uint8] = np.array([THREES] * 7 + [FOURS] * 3, np.uint8)
    return Split(np.zeros((10, 28, 28), np.uint8), labels)


def decide(policy: PromotePolicy, reads: int, served_reads: int | None, validation: Split) -> Decision:
    """Return the decision on a network that reads one digit everywhere, against a served one that reads another."""
    from training.promotion import judge

    served = None if served_reads is None else make_checkpoint(parameters_that_read(served_reads)).content
    return judge(policy, make_checkpoint(parameters_that_read(reads)), validation)(served)


def test_better_version_is_promoted(validation: Split) -> None:
    decision = decide("if_better", THREES, FOURS, validation)
    assert decision == Decision(True, "better: 7 of 10 held-out images right, the served version 3")


def test_worse_version_is_not_promoted(validation: Split) -> None:
    decision = decide("if_better", FOURS, THREES, validation)
    assert decision == Decision(False, "not better: 3 of 10 held-out images right, the served version 7")


def test_version_that_is_just_as_good_is_not_promoted(validation: Split) -> None:
    assert not decide("if_better", THREES, THREES, validation).is_promoted


def test_first_version_is_promoted(validation: Split) -> None:
    assert decide("if_better", FOURS, None, validation) == Decision(True, "nothing was served")


def test_without_held_out_images_nothing_counts_as_better(validation: Split) -> None:
    decision = decide("if_better", THREES, FOURS, validation[:0])
    assert decision == Decision(False, "if_better compares on held-out images, and validation_size is 0")
    assert decide("if_better", THREES, None, validation[:0]).is_promoted


@pytest.mark.parametrize("served", [None, THREES])
def test_policy_always_promotes_a_worse_version(validation: Split, served: int | None) -> None:
    assert decide("always", FOURS, served, validation) == Decision(True, "the promote policy is always")


@pytest.mark.parametrize("served", [None, FOURS])
def test_policy_never_promotes_no_better_version(validation: Split, served: int | None) -> None:
    assert decide("never", THREES, served, validation) == Decision(False, "the promote policy is never")


def test_served_version_that_cannot_be_read_is_reported(validation: Split) -> None:
    from training.promotion import judge

    with pytest.raises(CheckpointError):
        judge("if_better", make_checkpoint(), validation)(b"damaged")
