"""The predictions of trained parameters, which are kept for those who ask again."""

import numpy as np
import pytest

from inkling.mnist import Dataset
from tests.support.trainings import Trained

pytestmark = pytest.mark.train


def test_logits_of_a_split_are_kept_for_the_bytes_of_the_parameters(data: Dataset, trained: Trained) -> None:
    from training.predictions import predict_logits, split_logits

    # given: a network that was asked once
    parameters = {name: array.copy() for name, array in trained.parameters.items()}
    first = split_logits(data.test, parameters)
    assert np.array_equal(first, predict_logits(data.test.images, parameters))
    # when: another copy asks, and then the first one, whose parameters have changed in place
    again = split_logits(data.test, trained.parameters)
    parameters["biases/out"][3] += 1
    changed = split_logits(data.test, parameters)
    # then
    assert again is first
    assert np.array_equal(changed, predict_logits(data.test.images, parameters))
    assert not np.array_equal(changed, first)
    with pytest.raises(ValueError, match="read-only"):
        first[0, 0] = 0


def test_logits_are_of_the_split_that_is_asked_for(data: Dataset, trained: Trained) -> None:
    from training.predictions import predict_logits, split_logits

    for split in (data.hold_out(100)[1], data.hold_out(200)[1], data.test[:100]):
        expected = predict_logits(split.images, trained.parameters)
        assert np.array_equal(split_logits(split, trained.parameters), expected)


def test_mean_logits_take_the_first_view_from_the_caller(data: Dataset, trained: Trained) -> None:
    from training.predictions import predict_logits, predict_mean_logits

    images = data.test.images[:50]
    first = predict_logits(images, trained.parameters)
    mean = predict_mean_logits(images, trained.parameters)
    assert np.array_equal(predict_mean_logits(images, trained.parameters, first), mean)
