import numpy as np
import pytest
from numpy.typing import NDArray

from inkling.mnist import Split
from inkling.network.pretrained import load_pretrained
from training.data.synthetic_digits import LABEL_CYCLE, add_synthetic_digits, draw_digit

some = Split(np.arange(20 * 784, dtype=np.uint64).astype(np.uint8).reshape(20, 28, 28), np.full(20, 3, np.uint8))


def drawn(digit: int, count: int = 100) -> NDArray[np.uint8]:
    random = np.random.default_rng(digit)
    return np.stack([draw_digit(digit, random) for _ in range(count)])


def test_synthetic_digits_are_appended_in_the_order_of_the_cycle() -> None:
    after = add_synthetic_digits(some, 1.0, seed=0)
    assert after.images[:20].tobytes() == some.images.tobytes()
    assert after.labels.tolist() == [3] * 20 + [*LABEL_CYCLE, *LABEL_CYCLE][:20]
    assert after.images.dtype == after.labels.dtype == np.uint8
    assert len(add_synthetic_digits(some, 0.25, seed=0)) == 25


def test_every_digit_is_in_the_cycle() -> None:
    assert set(LABEL_CYCLE) == set(range(10))


def test_share_of_zero_adds_no_digit() -> None:
    assert add_synthetic_digits(some, 0.0, seed=0) is some


def test_same_seed_draws_the_same_digits_and_another_seed_different_ones() -> None:
    first, again, other = (add_synthetic_digits(some, 1.0, seed).images for seed in (3, 3, 4))
    assert first.tobytes() == again.tobytes()
    assert (first[20:] != other[20:]).any(axis=(1, 2)).all()


def test_drawing_reports_its_progress_from_the_first_digit_to_the_last() -> None:
    reports: list[tuple[int, int]] = []
    add_synthetic_digits(some, 0.25, 0, lambda drawn, total: reports.append((drawn, total)))
    assert reports == [(drawn, 5) for drawn in range(6)]


@pytest.mark.parametrize("digit", range(10))
def test_synthetic_digits_are_placed_as_in_mnist(digit: int) -> None:
    images = drawn(digit).astype(np.float64)
    for axis in (1, 2):  # columns, then rows
        mass = images.sum(axis=axis)
        centers = mass @ np.arange(28) / mass.sum(axis=1)
        assert (np.abs(centers - 14) <= 0.5).mean() >= 0.98  # the rest touch an edge
    sides = [max(np.ptp(np.flatnonzero((image > 60).any(axis=axis))) + 1 for axis in (0, 1)) for image in images]
    assert min(sides) >= 19
    assert max(sides) <= 21


@pytest.mark.train
@pytest.mark.parametrize("digit", range(10))
def test_shipped_network_reads_the_synthetic_digits(digit: int) -> None:
    from training.predictions import predict

    readings = predict(drawn(digit), load_pretrained().parameters).argmax(axis=1)
    assert (readings == digit).mean() >= 0.95


def test_pens_are_both_thin_and_thick() -> None:
    mass = (drawn(0) / 255).sum(axis=(1, 2))
    assert mass.min() < 60
    assert mass.max() > 180
