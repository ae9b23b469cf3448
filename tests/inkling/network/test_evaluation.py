import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from inkling.network.evaluation import confidence_bins, evaluate, expected_calibration_error, wilson_interval

Z = 1.959964


def one_hot(*digits: int) -> NDArray[np.float32]:
    return np.eye(10, dtype=np.float32)[list(digits)]


def labels(*digits: int) -> NDArray[np.uint8]:
    return np.array(digits, np.uint8)


@st.composite
def scored(draw: st.DrawFn) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return the probabilities of some reader, and the labels."""
    count = draw(st.integers(1, 60))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sharpness = draw(st.sampled_from([0.1, 1.0, 10.0]))
    powers = np.exp(random.normal(0, sharpness, (count, 10)))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32), random.integers(0, 10, count, np.uint8)


def test_perfect_reader_scores_one() -> None:
    evaluation = evaluate(one_hot(*range(10)), labels(*range(10)))
    assert (evaluation.accuracy, evaluation.correct, evaluation.total) == (1.0, 10, 10)
    assert (evaluation.loss, evaluation.calibration_error) == (0.0, 0.0)
    assert evaluation.confusion_matrix == np.eye(10, dtype=int).tolist()
    assert {(score.count, score.precision, score.recall) for score in evaluation.digits} == {(1, 1.0, 1.0)}


def test_confusion_matrix_has_a_row_for_the_true_digit_and_a_column_for_the_one_read() -> None:
    evaluation = evaluate(one_hot(7, 7, 1), labels(1, 1, 1))
    assert evaluation.confusion_matrix[1] == [0, 1, 0, 0, 0, 0, 0, 2, 0, 0]
    assert sum(map(sum, evaluation.confusion_matrix)) == 3


def test_precision_and_recall_are_of_their_digit() -> None:
    # given: three 1s, of which one is read as 1 and two as 7, and one 7, read as 7
    evaluation = evaluate(one_hot(1, 7, 7, 7), labels(1, 1, 1, 7))
    one, seven = evaluation.digits[1], evaluation.digits[7]
    assert (one.digit, one.count, one.precision, one.recall) == (1, 3, 1.0, 1 / 3)
    assert (seven.digit, seven.count, seven.precision, seven.recall) == (7, 1, 1 / 3, 1.0)


def test_digit_that_never_occurs_scores_zero() -> None:
    score = evaluate(one_hot(1), labels(1)).digits[5]
    assert (score.digit, score.count, score.precision, score.recall) == (5, 0, 0.0, 0.0)


def test_loss_is_the_mean_over_the_images() -> None:
    probabilities = np.full((2, 10), 0.1, np.float32)
    assert evaluate(probabilities, labels(3, 4)).loss == pytest.approx(math.log(10), rel=1e-6)


def test_loss_of_an_impossible_label_is_finite() -> None:
    assert evaluate(one_hot(3), labels(4)).loss == pytest.approx(-math.log(1e-9))


def test_evaluation_survives_json() -> None:
    evaluation = evaluate(one_hot(1, 2, 3), labels(1, 2, 4))
    assert type(evaluation).model_validate_json(evaluation.model_dump_json()) == evaluation


def test_evaluation_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        evaluate(one_hot(1), labels(1)).accuracy = 1.0  # type: ignore[misc]


@given(scored())
def test_parts_of_an_evaluation_agree(case: tuple[NDArray[np.float32], NDArray[np.uint8]]) -> None:
    probabilities, digits = case
    evaluation = evaluate(probabilities, digits)
    confusion = np.array(evaluation.confusion_matrix)
    assert confusion.sum() == evaluation.total == len(digits)
    assert confusion.trace() == evaluation.correct == sum(probabilities.argmax(axis=1) == digits)
    assert evaluation.accuracy == evaluation.correct / evaluation.total
    assert confusion.sum(axis=1).tolist() == [score.count for score in evaluation.digits]
    assert evaluation.interval_95 == wilson_interval(evaluation.correct, evaluation.total)
    assert 0 <= evaluation.calibration_error <= 1
    assert evaluation.loss >= 0


@pytest.mark.parametrize(
    ("correct", "total", "interval"),
    [
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ],
)
def test_interval_is_the_published_one(correct: int, total: int, interval: tuple[float, float]) -> None:
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3
    assert wilson_interval(correct, total) == pytest.approx(interval, abs=5e-5)


@given(st.integers(1, 100_000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_ends_of_the_interval_are_the_proportions_just_not_rejected(case: tuple[int, int]) -> None:
    # Wilson's definition: an end p0 solves |p - p0| = z * sqrt(p0 * (1 - p0) / n)
    correct, total = case
    p = correct / total
    low, high = wilson_interval(correct, total)
    assert 0 <= low <= p + 1e-12
    assert p - 1e-12 <= high <= 1
    for end in (low, high):
        assert abs(p - end) == pytest.approx(Z * math.sqrt(end * (1 - end) / total), abs=1e-7)


def test_reader_as_right_as_it_is_sure_is_calibrated() -> None:
    # given: 100 images read with confidence 0.75, of which 75 are right
    probabilities = np.full((100, 10), 0.25 / 9, np.float32)
    probabilities[:, 3] = 0.75
    digits = np.where(np.arange(100) < 75, 3, 4).astype(np.uint8)
    assert expected_calibration_error(probabilities, digits) == pytest.approx(0, abs=1e-6)


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    probabilities = np.full((100, 10), 0.1 / 9, np.float32)
    probabilities[:, 3] = 0.9
    digits = np.where(np.arange(100) < 60, 3, 4).astype(np.uint8)
    assert expected_calibration_error(probabilities, digits) == pytest.approx(0.3, abs=1e-6)


def test_gaps_of_different_confidence_do_not_cancel_out() -> None:
    # given: one half too sure by 0.4, the other too unsure by 0.4
    probabilities = np.full((20, 10), 0.0, np.float32)
    probabilities[:10, 3], probabilities[10:, 3] = 0.9, 0.6
    digits = np.array([3] * 5 + [4] * 5 + [3] * 10, np.uint8)
    assert expected_calibration_error(probabilities, digits) == pytest.approx(0.4, abs=1e-6)


@given(scored())
def test_calibration_error_is_the_published_sum(case: tuple[NDArray[np.float32], NDArray[np.uint8]]) -> None:
    # Guo et al. 2017, equation 3, bin by bin
    probabilities, digits = case
    expected = 0.0
    for index in range(15):
        members = [
            (float(row.max()), row.argmax() == digit)
            for row, digit in zip(probabilities, digits, strict=True)
            if index == min(int(float(row.max()) * 15), 14)
        ]
        expected += abs(sum(right for _, right in members) - sum(confidence for confidence, _ in members))
    assert expected_calibration_error(probabilities, digits) == pytest.approx(expected / len(digits), abs=1e-9)


@given(scored())
def test_confidence_bins_count_every_image_once(given: tuple[NDArray[np.float32], NDArray[np.uint8]]) -> None:
    probabilities, true = given
    bins = confidence_bins(probabilities, true)
    assert bins.counts.shape == bins.correct.shape == bins.gaps.shape == (15,)
    assert bins.counts.sum() == len(true)
    assert bins.correct.sum() == (probabilities.argmax(axis=1) == true).sum()
    confidence = probabilities.max(axis=1).astype(np.float64)
    assert bins.gaps.sum() == pytest.approx(bins.correct.sum() - confidence.sum(), abs=1e-6)
    assert expected_calibration_error(probabilities, true) == np.abs(bins.gaps).sum() / len(true)


def test_full_confidence_falls_into_the_last_bin() -> None:
    bins = confidence_bins(one_hot(3, 4), labels(3, 5))
    assert (bins.counts[-1], bins.correct[-1], bins.gaps[-1]) == (2, 1, -1.0)
