from itertools import islice

import numpy as np
import pytest
from numpy.typing import NDArray

from inkling.network.recipe import ACCURATE, TUTORIAL
from training.data.shuffling import shuffled_batches

SMALL = TUTORIAL.with_overrides({"batch_size": 16, "training_steps": 50, "display_step": 20, "shuffle_buffer": 30})


def one_by_one(buffer_size: int, size: int, slots: list[int]) -> list[int]:
    """The shuffle buffer as it is told, a draw after the other."""
    buffer = [i % size for i in range(buffer_size)]
    drawn = []
    for i, slot in enumerate(slots):
        drawn.append(buffer[slot])
        buffer[slot] = (buffer_size + i) % size
    return drawn


def numbers(size: int, **overrides: object) -> NDArray[np.int32]:
    return np.concatenate([batch.ravel() for batch in shuffled_batches(SMALL.with_overrides(overrides), size)])


@pytest.mark.parametrize("size", [1, 7, 100])
@pytest.mark.parametrize("buffer_size", [1, 3, 30, 200])
def test_draws_are_those_of_a_shuffle_buffer(size: int, buffer_size: int) -> None:
    slots = np.random.default_rng(SMALL.seed).integers(buffer_size, size=50 * 16).tolist()
    assert numbers(size, shuffle_buffer=buffer_size).tolist() == one_by_one(buffer_size, size, slots)


def test_display_steps_come_whole_and_the_rest_last() -> None:
    assert [batch.shape for batch in shuffled_batches(SMALL, 100)] == [(20, 16), (20, 16), (10, 16)]


def test_every_image_comes_up_and_none_much_more_often() -> None:
    counts = np.bincount(numbers(100, training_steps=1000))
    assert counts.min() > 0.9 * counts.mean()
    assert counts.max() < 1.1 * counts.mean()


def test_no_image_comes_before_the_buffer_holds_it() -> None:
    drawn = numbers(10_000)
    assert (drawn <= np.arange(len(drawn)) + 30).all()


@pytest.mark.parametrize("skip", [20, 40])
def test_order_goes_on_where_a_training_was_interrupted(skip: int) -> None:
    whole, rest = list(shuffled_batches(SMALL, 100)), list(shuffled_batches(SMALL, 100, skip))
    assert len(rest) == len(whole) - skip // 20
    for batch, expected in zip(rest, whole[skip // 20 :], strict=True):
        np.testing.assert_array_equal(batch, expected)


def test_display_step_changes_nothing() -> None:
    assert numbers(100, display_step=7).tolist() == numbers(100).tolist()


def test_seed_decides_the_order() -> None:
    assert numbers(100).tolist() == numbers(100).tolist()
    assert numbers(100).tolist() != numbers(100, seed=1).tolist()


def test_accurate_recipe_mixes_all_images() -> None:
    (first,) = islice(shuffled_batches(ACCURATE, 55_000), 1)
    assert first.shape == (ACCURATE.display_step, ACCURATE.batch_size)
    assert first.min() < 100
    assert first.max() > 54_900
