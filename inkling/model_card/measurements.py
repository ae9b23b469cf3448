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
from inkling.model_card.yardstick.scores import Yardstick, measure_yardstick
from inkling.network.checkpoint import Checkpoint, save
from inkling.network.classifier import Classifier
from inkling.network.evaluation import Evaluation
from inkling.vision.image_files import decode_picture

UNCORRUPTED = "none"

Log = Callable[[str], None]
"""Takes a line of progress."""


@dataclass(frozen=True)
class Amounts:
    """Numbers of pictures that are measured."""

    corrupted: int  # test images under each corruption
    in_files: int  # test images in each variant of files
    drawings: int  # drawn digits
    out_of_distribution_each: int  # pictures of each kind that hold no single digit
    pages_each: int  # digits on each kind of page in each strength
    in_mnist_c: int  # test images under each of MNIST-C's corruptions
    numbers_each: int  # numbers of each length on each background
    non_digits_each: int  # pictures of each kind of non-digits


SAMPLE = Amounts(500, 200, 600, 20, 50, 500, 15, 40)
ALL = Amounts(10_000, 1000, 3000, 20, 200, 3000, 50, 100)


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
    images: int
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
    yardstick: Yardstick
    before: Yardstick | None  # of an earlier card


def measure(
    checkpoint: Checkpoint,
    compared: Checkpoint | None,
    test: Split,
    *,
    log: Log,
    amounts: Amounts = SAMPLE,
    before: Yardstick | None = None,
) -> Measurements:
    """Measure a checkpoint, and compare it with another one.

    Args:
        checkpoint: the subject of the card.
        compared: a second checkpoint, whose robustness the card shows beside it.
        test: the test images; all are scored as they are.
        log: is called with a line before each phase; together they take minutes.
        amounts: numbers of pictures for everything else.
        before: an earlier card's scores, which the card shows beside its own.
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
        corruptions=_score_corruptions(classifier, other, test[: amounts.corrupted], log),
        files=_score_files(classifier, test[: amounts.in_files], log),
        drawings=_score_drawings(classifier, other, amounts.drawings, log),
        out_of_distribution=_score_out_of_distribution(classifier, test, amounts.out_of_distribution_each, log),
        yardstick=measure_yardstick(
            classifier,
            test,
            log=log,
            pages_each=amounts.pages_each,
            in_mnist_c=amounts.in_mnist_c,
            numbers_each=amounts.numbers_each,
            non_digits_each=amounts.non_digits_each,
        ),
        before=before,
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
                images=len(images),
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
