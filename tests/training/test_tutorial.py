"""The tutorial's program as published, on small data; on MNIST in test_mnist_training.py."""

import re

import numpy as np
import pytest

from inkling.errors import DatasetError
from inkling.mnist import Dataset
from inkling.network.checkpoint import verify
from tests.support.digits import make_digits
from tests.support.trainings import SMALL, accuracy_by_reference, assert_same_bytes, train

pytestmark = pytest.mark.train


def test_program_prints_the_tutorials_lines_and_returns_the_network_that_they_describe(
    data: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    from training import tutorial

    parameters = tutorial.train(SMALL, data)
    first, second, last = capsys.readouterr().out.splitlines()
    for step, line in ((100, first), (200, second)):
        assert re.fullmatch(rf"step: {step}, loss: \d+\.\d{{6}}, accuracy: [01]\.\d{{6}}", line)
    verify(parameters)
    assert last == f"Test Accuracy: {accuracy_by_reference(data, parameters):f}"


def test_program_is_as_accurate_as_the_compiled_loop_after_as_many_steps(data: Dataset) -> None:
    from training import tutorial

    recipe = SMALL.with_overrides({"training_steps": 1000, "display_step": 1000})
    published = accuracy_by_reference(data, tutorial.train(recipe, data))
    assert accuracy_by_reference(data, train(recipe, data).parameters) == pytest.approx(published, abs=0.03)
    assert published > 0.9


def test_same_seed_gives_the_same_network_and_a_different_seed_another(data: Dataset) -> None:
    from training import tutorial

    recipe = SMALL.with_overrides({"training_steps": 5, "display_step": 5})
    first, again, other = (tutorial.train(recipe.with_overrides({"seed": seed}), data) for seed in (3, 3, 4))
    assert_same_bytes(first, again)
    assert all(not np.array_equal(array, first[name]) for name, array in other.items())


def test_no_image_left_to_train_on_is_an_error(data: Dataset) -> None:
    from training import tutorial

    with pytest.raises(DatasetError, match="validation_size 2000 leaves nothing to train on"):
        tutorial.train(SMALL.with_overrides({"validation_size": 2000}), data)


def test_images_are_converted_to_floats_from_0_to_1() -> None:
    from training.tutorial import flat_floats

    images = make_digits(20, seed=1)[0]
    x = flat_floats(images)
    assert x.shape == (20, 784)
    assert x.dtype == np.float32
    np.testing.assert_array_equal(np.rint(x * 255).astype(np.uint8).reshape(images.shape), images)
    assert (x.min(), x.max()) == (0, 1)


def test_pipeline_yields_batches_of_the_images_with_their_labels() -> None:
    from training.tutorial import input_pipeline

    x, y = np.arange(40, dtype=np.float32).reshape(40, 1), np.arange(40, dtype=np.uint8)
    recipe = SMALL.with_overrides({"batch_size": 16, "shuffle_buffer": 40})
    batches = [(batch_x.numpy(), batch_y.numpy()) for batch_x, batch_y in input_pipeline(x, y, recipe).take(10)]
    assert all(batch_x.shape == (16, 1) and batch_y.shape == (16,) for batch_x, batch_y in batches)
    assert all((batch_x[:, 0] == batch_y).all() for batch_x, batch_y in batches)
    assert {int(label) for _, batch_y in batches for label in batch_y} == set(range(40))
