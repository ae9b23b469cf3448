import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inkling.network.evaluation import expected_calibration_error
from tests.support.reference import softmax
from training.calibration import COLDEST, HOTTEST, fit_temperature, fit_views


def labels_of(probabilities: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return labels sampled with these probabilities, so that a network that predicts them is calibrated."""
    return (probabilities.cumsum(axis=1) > random.random((len(probabilities), 1))).argmax(axis=1).astype(np.uint8)


@pytest.mark.parametrize("true", [0.5, 1.0, 2.5])
def test_fit_finds_the_temperature_from_which_the_labels_were_sampled(true: float) -> None:
    random = np.random.default_rng(0)
    logits = random.normal(0, 3, (20_000, 10)).astype(np.float32)
    labels = labels_of(softmax(logits.astype(np.float64) / true), random)
    assert fit_temperature(logits, labels) == pytest.approx(true, rel=0.03)


def test_fit_calibrates() -> None:
    random = np.random.default_rng(1)
    logits = random.normal(0, 3, (20_000, 10)).astype(np.float32)
    labels = labels_of(softmax(logits.astype(np.float64) / 2), random)
    before = expected_calibration_error(softmax(logits.astype(np.float64)).astype(np.float32), labels)
    temperature = fit_temperature(logits, labels)
    after = expected_calibration_error(softmax(logits.astype(np.float64) / temperature).astype(np.float32), labels)
    assert before > 0.1
    assert after < 0.02


def test_network_that_is_always_right_gets_the_lowest_temperature_and_one_that_is_always_wrong_the_highest() -> None:
    labels = (np.arange(100) % 10).astype(np.uint8)
    sure = np.eye(10, dtype=np.float32)[labels]
    assert fit_temperature(sure, labels) == pytest.approx(COLDEST)
    assert fit_temperature(sure, (labels + 1) % 10) == pytest.approx(HOTTEST)


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 1e4), st.integers(1, 50))
def test_fit_is_within_its_bounds_for_any_logits(seed: int, spread: float, count: int) -> None:
    random = np.random.default_rng(seed)
    logits = random.normal(0, spread, (count, 10)).astype(np.float32)
    labels = random.integers(0, 10, count).astype(np.uint8)
    assert COLDEST * 0.999 <= fit_temperature(logits, labels) <= HOTTEST * 1.001


def test_fit_adds_in_the_order_of_a_sum_over_each_image() -> None:
    logits, labels = sampled()
    z = logits.astype(np.float64)

    def slope(inverse: float) -> float:
        exponentials = np.exp(inverse * (z - z.max(axis=1, keepdims=True)))
        expected = (exponentials * z).sum(axis=1) / exponentials.sum(axis=1)
        return float((expected - z[np.arange(len(labels)), labels]).mean())

    low, high = 1 / HOTTEST, 1 / COLDEST
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    assert fit_temperature(logits, labels) == 2 / (low + high)


def sampled() -> tuple[np.ndarray, np.ndarray]:
    """Return logits (1000, 10) of a calibrated first reading that is sure of some images, and the labels."""
    random = np.random.default_rng(5)
    logits = random.normal(0, 4, (1000, 10)).astype(np.float32)
    return logits, labels_of(softmax(logits.astype(np.float64)), random)


def test_views_that_read_better_are_kept_with_a_temperature_of_their_own() -> None:
    # given: a first reading that is often unsure, and views that add to the logit of the label
    first, labels = sampled()
    mean = first + 2 * np.eye(10, dtype=np.float32)[labels]
    # when
    views = fit_views(first, mean, labels, temperature=1.0)
    # then
    assert views is not None
    is_unsure = softmax(first).max(axis=1) < views.below
    assert views.temperature == fit_temperature(mean[is_unsure], labels[is_unsure])


def test_views_that_read_worse_are_not_used() -> None:
    first, labels = sampled()
    noise = np.random.default_rng(8).normal(0, 3, first.shape).astype(np.float32)
    assert fit_views(first, first + noise, labels, temperature=1.0) is None


def test_network_that_is_sure_of_every_image_needs_no_views() -> None:
    labels = np.arange(10, dtype=np.uint8)
    first = 20 * np.eye(10, dtype=np.float32)
    assert fit_views(first, first, labels, temperature=1.0) is None
