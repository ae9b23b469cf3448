"""The evaluation of a network: scores from probabilities and labels."""

import math
from collections.abc import Sequence
from typing import Annotated, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from inkling.digit import NUM_CLASSES
from inkling.json_numbers import Integer, Number

CALIBRATION_BINS = 15
MAX_IMAGES = 1_000_000_000
ROUNDING = 1e-6
"""By how much a score may differ from the one that follows from the counts."""

Share = Annotated[Number, Field(ge=0, le=1)]


class DigitScore(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    digit: Integer = Field(ge=0, lt=NUM_CLASSES, description="0 to 9")
    count: Integer = Field(ge=0, description="images of this digit")
    precision: Share = Field(description="share of the images read as this digit that show it; 0 if there are none")
    recall: Share = Field(description="share of the images of this digit that are read as it; 0 if there are none")


class SingleView(BaseModel):
    """Scores of the first reading of each image, of a version that reads unsure images in views."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    accuracy: Share = Field(description="correct / total, 0 to 1")
    correct: Integer = Field(ge=0, description="test images read correctly")
    loss: Number = Field(ge=0, description="mean cross-entropy, in nats per image")
    calibration_error: Share = Field(description="expected calibration error over 15 bins of confidence")


class Evaluation(BaseModel):
    """Scores that agree with each other: those of a file that contradict its confusion matrix are refused."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False, json_schema_serialization_defaults_required=True)

    accuracy: Share = Field(description="correct / total, 0 to 1")
    correct: Integer = Field(ge=0, description="test images read correctly")
    total: Integer = Field(ge=1, le=MAX_IMAGES, description="test images")
    interval_95: tuple[Share, Share] = Field(description="95 % Wilson score interval of the accuracy")
    loss: Number = Field(ge=0, description="mean cross-entropy, in nats per image")
    calibration_error: Share = Field(description="expected calibration error over 15 bins of confidence")
    uncalibrated_error: Share | None = Field(
        None, description="calibration error before the temperature was fitted; null if it was not measured"
    )
    single_view: SingleView | None = Field(
        None, description="the scores without the views of unsure images; null if the version has no views"
    )
    digits: list[DigitScore] = Field(description="the scores of each digit, 0 to 9")
    confusion_matrix: list[list[Integer]] = Field(description="[true digit][digit read] -> images")

    @model_validator(mode="after")
    def _check_sums(self) -> Self:
        matrix = self.confusion_matrix
        if [len(row) for row in matrix] != [NUM_CLASSES] * NUM_CLASSES or any(min(row) < 0 for row in matrix):
            raise ValueError(f"confusion_matrix must be {NUM_CLASSES} rows of {NUM_CLASSES} counts, 0 or more")
        sums = (sum(map(sum, matrix)), sum(row[digit] for digit, row in enumerate(matrix)))
        if sums != (self.total, self.correct):
            raise ValueError(
                f"confusion_matrix holds {sums[0]} images, {sums[1]} of them read correctly; "
                f"total is {self.total}, correct {self.correct}"
            )
        low, high = self.interval_95
        if (
            not _are_near(self.accuracy, self.correct / self.total)
            or not low - ROUNDING <= self.accuracy <= high + ROUNDING
        ):
            raise ValueError(
                f"accuracy is {self.accuracy:g} in the interval {low:g} to {high:g}; "
                f"correct / total is {self.correct / self.total:g}"
            )
        if (single := self.single_view) and not _are_near(single.accuracy, single.correct / self.total):
            raise ValueError(
                f"single_view.accuracy is {single.accuracy:g}; correct / total is {single.correct / self.total:g}"
            )
        return self

    @model_validator(mode="after")
    def _check_digits(self) -> Self:
        expected = _scores_by_digit(self.confusion_matrix)
        if len(self.digits) != NUM_CLASSES or not all(map(_agree, self.digits, range(NUM_CLASSES), expected)):
            raise ValueError("digits must be the scores of the digits 0 to 9 that follow from confusion_matrix")
        return self


class ConfidenceBins(NamedTuple):
    """Sums over the images of each bin of confidence, each (bins,)."""

    counts: NDArray[np.int64]
    """Images."""
    correct: NDArray[np.int64]
    """Images whose prediction is correct."""
    gaps: NDArray[np.float64]
    """Sum of 1 or 0, for correct or wrong, minus the confidence."""


def evaluate(
    probabilities: NDArray[np.float32],
    labels: NDArray[np.uint8],
    uncalibrated: NDArray[np.float32] | None = None,
    single_view: NDArray[np.float32] | None = None,
) -> Evaluation:
    """Score probabilities, float32 (n, 10) with rows summing to 1, against labels (n,), n at least 1.

    `uncalibrated` are the probabilities before the temperature was fitted, `single_view` those of the first reading, if
    there is a second one.
    """
    predicted = probabilities.argmax(axis=1)
    total = len(labels)
    correct = int((predicted == labels).sum())
    confusion = np.zeros((NUM_CLASSES, NUM_CLASSES), np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    return Evaluation(
        accuracy=correct / total,
        correct=correct,
        total=total,
        interval_95=wilson_interval(correct, total),
        loss=cross_entropy(probabilities, labels),
        calibration_error=expected_calibration_error(probabilities, labels),
        uncalibrated_error=None if uncalibrated is None else expected_calibration_error(uncalibrated, labels),
        single_view=None if single_view is None else _score_single_view(single_view, labels),
        digits=[
            DigitScore(digit=digit, count=count, precision=precision, recall=recall)
            for digit, (count, precision, recall) in enumerate(_scores_by_digit(confusion.tolist()))
        ],
        confusion_matrix=confusion.tolist(),
    )


def _score_single_view(probabilities: NDArray[np.float32], labels: NDArray[np.uint8]) -> SingleView:
    correct = int((probabilities.argmax(axis=1) == labels).sum())
    return SingleView(
        accuracy=correct / len(labels),
        correct=correct,
        loss=cross_entropy(probabilities, labels),
        calibration_error=expected_calibration_error(probabilities, labels),
    )


def cross_entropy(probabilities: NDArray[np.float32], labels: NDArray[np.uint8]) -> float:
    """Return the mean cross-entropy, in nats per image, of probabilities (n, 10) with labels (n,)."""
    likelihood = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.clip(likelihood, 1e-9, 1.0)).mean())


def wilson_interval(correct: int, total: int, z: float = 1.959964) -> tuple[float, float]:
    """Return the 95 % score interval of a proportion (Wilson 1927; Brown, Cai and DasGupta 2001, equation 4)."""
    p = correct / total
    center = (p + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total))
    return max(0.0, center - half), min(1.0, center + half)


def expected_calibration_error(
    probabilities: NDArray[np.float32], labels: NDArray[np.uint8], bins: int = CALIBRATION_BINS
) -> float:
    """Return the mean gap between confidence and accuracy over equal bins (Guo et al. 2017, equation 3)."""
    return float(np.abs(confidence_bins(probabilities, labels, bins).gaps).sum() / len(labels))


def confidence_bins(
    probabilities: NDArray[np.float32], labels: NDArray[np.uint8], bins: int = CALIBRATION_BINS
) -> ConfidenceBins:
    """Group images by the confidence of their predictions, in equal bins from 0 to 1."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    is_correct = probabilities.argmax(axis=1) == labels
    bin_of = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    return ConfidenceBins(
        counts=np.bincount(bin_of, minlength=bins),
        correct=np.bincount(bin_of[is_correct], minlength=bins),
        gaps=np.asarray(np.bincount(bin_of, weights=is_correct - confidence, minlength=bins), np.float64),
    )


def _scores_by_digit(matrix: Sequence[Sequence[int]]) -> list[tuple[int, float, float]]:
    """Return the count, the precision and the recall of each digit, from the counts [true digit][digit read]."""
    counts = [sum(row) for row in matrix]
    read = [sum(column) for column in zip(*matrix, strict=True)]
    hits = [row[digit] for digit, row in enumerate(matrix)]
    return [
        (count, hit / max(1, read), hit / max(1, count)) for count, read, hit in zip(counts, read, hits, strict=True)
    ]


def _agree(score: DigitScore, digit: int, expected: tuple[int, float, float]) -> bool:
    count, precision, recall = expected
    counts_agree = (score.digit, score.count) == (digit, count)
    return counts_agree and _are_near(score.precision, precision) and _are_near(score.recall, recall)


def _are_near(score: float, expected: float) -> bool:
    return abs(score - expected) <= ROUNDING
