"""The measurements of a checkpoint that the model card reports."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inkling.digit import Floats
from inkling.mnist import Split
from inkling.model_card.corruptions import CORRUPTIONS, corrupted
from inkling.model_card.drawings import Drawing, draw_digits
from inkling.model_card.error_causes import count_error_causes
from inkling.model_card.file_variants import FILE_VARIANTS, file_variants
from inkling.model_card.out_of_distribution import OutOfDistribution, draw_out_of_distribution
from inkling.model_card.predictions import (
    TopPredictions,
    normalize_or_refuse,
    predict_normalized,
    predict_strict,
)
from inkling.network.checkpoint import Checkpoint, save
from inkling.network.classifier import Classifier
from inkling.network.evaluation import Evaluation
from inkling.vision.image_files import decode_picture

UNCORRUPTED = "none"

Log = Callable[[str], None]
"""Takes a line of progress."""


@dataclass(frozen=True)
class Scored:
    """A network's probabilities for the test images, and their scores."""

    probabilities: Floats  # (n, 10)
    evaluation: Evaluation

    @classmethod
    def of(cls, classifier: Classifier, test: Split) -> "Scored":
        return cls(classifier.probabilities(test.images), classifier.evaluate(test.images, test.labels))


@dataclass(frozen=True)
class CorruptionScore:
    """Numbers of test images under one corruption."""

    name: str
    strict: int  # correct as they are
    normalized: int  # correct through `fit=mnist`
    refused: int  # by `fit=mnist`; none of them is correct
    compared_strict: int | None  # the same of the network compared with
    compared_normalized: int | None


@dataclass(frozen=True)
class FileScore:
    """Numbers of test images stored in one variant of files, and sent through `fit=mnist`."""

    name: str
    images: int
    correct: int  # as they are, before they became files
    still_correct: int  # of these, as files
    refused: int


@dataclass(frozen=True)
class DrawingResults:
    drawings: list[Drawing]
    predictions: TopPredictions
    compared: TopPredictions | None
    causes: Counter[str]  # of the misread and refused ones, as in ERROR_CAUSES

    @property
    def labels(self) -> NDArray[np.int64]:
        return np.array([drawing.label for drawing in self.drawings])

    @property
    def brushes(self) -> NDArray[np.float64]:
        return np.array([drawing.brush for drawing in self.drawings])


@dataclass(frozen=True)
class OutOfDistributionResults:
    pictures: list[OutOfDistribution]
    predictions: TopPredictions


@dataclass(frozen=True)
class Measurements:
    checkpoint: Checkpoint
    compared: Checkpoint | None
    test: Split
    scored: Scored
    single_view: Scored  # without the views of unsure images
    uncalibrated: Scored  # the same with temperature 1
    corruptions: list[CorruptionScore]  # the first is UNCORRUPTED
    files: list[FileScore]
    drawings: DrawingResults
    out_of_distribution: OutOfDistributionResults


def measure(
    checkpoint: Checkpoint,
    compared: Checkpoint | None,
    test: Split,
    *,
    log: Log,
    in_files: int = 1000,
    drawings: int = 3000,
    out_of_distribution_each: int = 20,
) -> Measurements:
    """Measure a checkpoint, and compare it with another one.

    Args:
        checkpoint: the subject of the card.
        compared: a second checkpoint, whose robustness the card shows beside it.
        test: the test images; every corruption is applied to all of them.
        log: is called with a line before each phase; together they take minutes.
        in_files: number of test images that are stored in each variant of files.
        drawings: number of drawn digits.
        out_of_distribution_each: number of out-of-distribution pictures per kind.
    """
    classifier = Classifier(checkpoint, version=0)
    other = Classifier(compared, version=0) if compared else None
    uncalibrated = save(checkpoint.parameters, checkpoint.card.model_copy(update={"temperature": 1.0, "views": None}))
    log(f"scoring {len(test)} test images")
    return Measurements(
        checkpoint=checkpoint,
        compared=compared,
        test=test,
        scored=Scored.of(classifier, test),
        single_view=Scored.of(classifier.single_view(), test),
        uncalibrated=Scored.of(Classifier(uncalibrated, version=0), test),
        corruptions=_score_corruptions(classifier, other, test, log),
        files=_score_files(classifier, test[:in_files], log),
        drawings=_score_drawings(classifier, other, drawings, log),
        out_of_distribution=_score_out_of_distribution(classifier, test, out_of_distribution_each, log),
    )


def _score_corruptions(
    classifier: Classifier, other: Classifier | None, test: Split, log: Log
) -> list[CorruptionScore]:
    scores = []
    for i, name in enumerate([UNCORRUPTED, *CORRUPTIONS]):
        log(f"corruption {i} of {len(CORRUPTIONS)}: {name}")
        images = test.images if name == UNCORRUPTED else corrupted(name, test.images)
        normalized = normalize_or_refuse(images)
        predictions = predict_normalized(classifier, normalized)
        scores.append(
            CorruptionScore(
                name=name,
                strict=predict_strict(classifier, images).correct(test.labels),
                normalized=predictions.correct(test.labels),
                refused=predictions.refused,
                compared_strict=predict_strict(other, images).correct(test.labels) if other else None,
                compared_normalized=predict_normalized(other, normalized).correct(test.labels) if other else None,
            )
        )
    return scores


def _score_files(classifier: Classifier, test: Split, log: Log) -> list[FileScore]:
    log(f"storing {len(test)} test images in {len(FILE_VARIANTS)} variants of files")
    is_correct = predict_strict(classifier, test.images).digits == test.labels
    scores = []
    for name in FILE_VARIANTS:
        normalized = normalize_or_refuse(decode_picture(file) for file in file_variants(name, test.images))
        predictions = predict_normalized(classifier, normalized)
        still_correct = int((is_correct & (predictions.digits == test.labels)).sum())
        scores.append(FileScore(name, len(test), int(is_correct.sum()), still_correct, predictions.refused))
    return scores


def _score_drawings(classifier: Classifier, other: Classifier | None, count: int, log: Log) -> DrawingResults:
    log(f"drawing {count} digits as strokes")
    drawings = list(draw_digits(count))
    normalized = normalize_or_refuse(drawing.picture for drawing in drawings)
    predictions = predict_normalized(classifier, normalized)
    wrong = [drawing for drawing, digit in zip(drawings, predictions.digits, strict=True) if drawing.label != digit]
    return DrawingResults(
        drawings=drawings,
        predictions=predictions,
        compared=predict_normalized(other, normalized) if other else None,
        causes=count_error_causes(classifier, wrong),
    )


def _score_out_of_distribution(classifier: Classifier, test: Split, each: int, log: Log) -> OutOfDistributionResults:
    log("drawing pictures that hold no digit")
    pictures = list(draw_out_of_distribution(test.images, each))
    normalized = normalize_or_refuse(item.picture for item in pictures)
    return OutOfDistributionResults(pictures, predict_normalized(classifier, normalized))
