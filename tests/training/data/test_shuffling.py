from collections import Counter
from collections.abc import Callable
from itertools import islice

import numpy as np
import pytest
from numpy.typing import NDArray

from inkling.network.recipe import ACCURATE, TUTORIAL
from training.data.shuffling import shuffled_batches

SMALL = TUTORIAL.with_overrides({"batch_size": 16, "training_steps": 50, "display_step": 20, "shuffle_buffer": 30})


def one_by_one(buffer_size: int, size: int, slots: list[int]) -> list[int]:
    """Return the indices that a shuffle buffer yields, taken one after the other."""
    buffer = [i % size for i in range(buffer_size)]
    taken = []
    for i, slot in enumerate(slots):
        taken.append(buffer[slot])
        buffer[slot] = (buffer_size + i) % size
    return taken


def published_indices(size: int, **overrides: object) -> NDArray[np.int64]:
    """Return the indices that the tutorial's own pipeline yields: here each image holds its index."""
    from training.tutorial import input_pipeline

    recipe = SMALL.with_overrides(overrides)
    x, y = np.arange(size, dtype=np.float32), np.zeros(size, np.uint8)
    batches = input_pipeline(x, y, recipe).take(recipe.training_steps)
    return np.concatenate([batch_x.numpy() for batch_x, _ in batches]).astype(np.int64)


def indices_of(size: int, **overrides: object) -> NDArray[np.int32]:
    return np.concatenate([batch.ravel() for batch in shuffled_batches(SMALL.with_overrides(overrides), size)])


@pytest.mark.parametrize("size", [1, 7, 100])
@pytest.mark.parametrize("buffer_size", [1, 3, 30, 200])
def test_indices_are_those_of_a_shuffle_buffer(size: int, buffer_size: int) -> None:
    slots = np.random.default_rng(SMALL.seed).integers(buffer_size, size=50 * 16).tolist()
    assert indices_of(size, shuffle_buffer=buffer_size).tolist() == one_by_one(buffer_size, size, slots)


@pytest.mark.train
@pytest.mark.parametrize("order_of", [indices_of, published_indices], ids=["ours", "tf.data"])
@pytest.mark.parametrize(("size", "buffer_size"), [(100, 30), (100, 250), (7, 30), (250, 1)])
def test_order_follows_the_rule_of_a_shuffle_buffer_as_the_published_pipeline_does(
    order_of: Callable[..., NDArray[np.int64]], size: int, buffer_size: int
) -> None:
    indices = order_of(size, shuffle_buffer=buffer_size, training_steps=200)
    buffer = Counter(i % size for i in range(buffer_size))
    for i, index in enumerate(indices.tolist()):
        assert buffer[index] > 0, f"index {index} at place {i} is not in the buffer"
        buffer[index] -= 1
        buffer[(buffer_size + i) % size] += 1


@pytest.mark.train
@pytest.mark.parametrize("order_of", [indices_of, published_indices], ids=["ours", "tf.data"])
def test_images_stay_in_the_buffer_as_long_as_in_the_published_pipeline(
    order_of: Callable[..., NDArray[np.int64]],
) -> None:
    # given: more images than are taken, so that an index shows when its image entered the buffer of 30
    indices = order_of(50_000, training_steps=2000)
    # then: the times until an image is taken are distributed geometrically, with a mean of 30
    times = np.arange(len(indices)) - (indices - 30)
    times = times[(indices >= 30) & (indices < len(indices) - 1000)]
    assert times.mean() == pytest.approx(30, rel=0.05)
    assert times.std() == pytest.approx(30, rel=0.08)


def test_batches_come_by_display_step_and_the_rest_last() -> None:
    assert [batch.shape for batch in shuffled_batches(SMALL, 100)] == [(20, 16), (20, 16), (10, 16)]


def test_every_image_is_taken_about_equally_often() -> None:
    counts = np.bincount(indices_of(100, training_steps=1000))
    assert counts.min() > 0.9 * counts.mean()
    assert counts.max() < 1.1 * counts.mean()


def test_no_image_is_taken_before_it_is_in_the_buffer() -> None:
    indices = indices_of(10_000)
    assert (indices <= np.arange(len(indices)) + 30).all()


@pytest.mark.parametrize("skip", [20, 40])
def test_order_continues_where_a_training_was_interrupted(skip: int) -> None:
    whole, rest = list(shuffled_batches(SMALL, 100)), list(shuffled_batches(SMALL, 100, skip))
    assert len(rest) == len(whole) - skip // 20
    for batch, expected in zip(rest, whole[skip // 20 :], strict=True):
        np.testing.assert_array_equal(batch, expected)


def test_display_step_changes_nothing() -> None:
    assert indices_of(100, display_step=7).tolist() == indices_of(100).tolist()


def test_seed_decides_the_order() -> None:
    assert indices_of(100).tolist() == indices_of(100).tolist()
    assert indices_of(100).tolist() != indices_of(100, seed=1).tolist()


def test_accurate_recipe_mixes_all_images() -> None:
    (first,) = islice(shuffled_batches(ACCURATE, 55_000), 1)
    assert first.shape == (ACCURATE.display_step, ACCURATE.batch_size)
    assert first.min() < 100
    assert first.max() > 54_900
