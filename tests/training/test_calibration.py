import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inkling.network.evaluation import expected_calibration_error
from tests.support.reference import softmax
from training.calibration import COLDEST, HOTTEST, fit_temperature


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
