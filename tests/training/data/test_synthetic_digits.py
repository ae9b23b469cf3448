import numpy as np
import pytest
from numpy.typing import NDArray

from inkling.mnist import Split
from inkling.network.checkpoint import load
from inkling.network.pretrained import PRETRAINED
from training.data.synthetic_digits import LABEL_CYCLE, add_synthetic_digits, draw_digit
from training.loop import predict

some = Split(np.arange(20 * 784, dtype=np.uint64).astype(np.uint8).reshape(20, 28, 28), np.full(20, 3, np.uint8))


def drawn(digit: int, count: int = 100) -> NDArray[np.uint8]:
    random = np.random.default_rng(digit)
    return np.stack([draw_digit(digit, random) for _ in range(count)])


def test_drawn_digits_come_after_the_images_as_they_are_in_turn() -> None:
    after = add_synthetic_digits(some, 1.0, seed=0)
    assert after.images[:20].tobytes() == some.images.tobytes()
    assert after.labels.tolist() == [3] * 20 + [*LABEL_CYCLE, *LABEL_CYCLE][:20]
    assert after.images.dtype == after.labels.dtype == np.uint8
    assert len(add_synthetic_digits(some, 0.25, seed=0)) == 25


def test_every_digit_is_drawn() -> None:
    assert set(LABEL_CYCLE) == set(range(10))


def test_without_a_share_nothing_is_drawn() -> None:
    assert add_synthetic_digits(some, 0.0, seed=0) is some


def test_same_seed_draws_the_same_digits_and_another_seed_others() -> None:
    first, again, other = (add_synthetic_digits(some, 1.0, seed).images for seed in (3, 3, 4))
    assert first.tobytes() == again.tobytes()
    assert (first[20:] != other[20:]).any(axis=(1, 2)).all()


@pytest.mark.parametrize("digit", range(10))
def test_drawn_digits_lie_where_mnist_has_them(digit: int) -> None:
    ink = drawn(digit).astype(np.float64)
    for axis in (1, 2):  # columns, then rows
        mass = ink.sum(axis=axis)
        centers = mass @ np.arange(28) / mass.sum(axis=1)
        assert (np.abs(centers - 14) <= 0.5).mean() >= 0.98  # the rest touch an edge
    sides = [max(np.ptp(np.flatnonzero((image > 60).any(axis=axis))) + 1 for axis in (0, 1)) for image in ink]
    assert min(sides) >= 19
    assert max(sides) <= 21


@pytest.mark.parametrize("digit", range(10))
def test_drawn_digits_are_told_from_each_other(digit: int) -> None:
    readings = predict(drawn(digit), load(PRETRAINED.read_bytes()).parameters).argmax(axis=1)
    assert (readings == digit).mean() >= 0.95


def test_pens_are_thin_and_thick() -> None:
    ink = (drawn(0) / 255).sum(axis=(1, 2))
    assert ink.min() < 60
    assert ink.max() > 180
