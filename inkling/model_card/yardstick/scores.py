"""The scores on the yardstick's pictures: counts, which a JSON file keeps for a later card to compare with."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from inkling.digit import Gray
from inkling.errors import InputError
from inkling.mnist import Split
from inkling.model_card.predictions import (
    TopPredictions,
    normalize_or_refuse,
    predict_normalized,
    predict_strict,
)
from inkling.model_card.yardstick.handwriting import mixed_digits
from inkling.model_card.yardstick.mnist_c import MNIST_C, mnist_c
from inkling.model_card.yardstick.non_digits import NON_DIGITS, RELATED, non_digits
from inkling.model_card.yardstick.number_pages import BACKGROUNDS, LENGTHS, number_pages
from inkling.model_card.yardstick.pages import PAGE_KINDS, STRENGTHS, pages, plain_pages
from inkling.network.classifier import Classifier
from inkling.numbers import read_page
from inkling.vision.numbers.layout import find_page

Log = Callable[[str], None]
PAGES_SEED = 15
"""Of the digits on pages."""
SURE = 0.8
"""A wrong answer of more confidence counts as sure."""
LOST = 0.01
"""Share of real digits that may be lost where non-digits are found."""


class PageScore(BaseModel):
    """Digits of one kind of page and one strength, through `fit=mnist`."""

    model_config = ConfigDict(frozen=True)

    kind: str
    strength: str
    total: int
    correct: int
    plain: int  # of the same digits, correct black on white
    still_correct: int  # of `plain`, correct on the page
    refused: int
    sure_but_wrong: int


class MnistCScore(BaseModel):
    """Test images under one corruption of MNIST-C."""

    model_config = ConfigDict(frozen=True)

    name: str
    total: int
    strict: int  # correct as they are
    normalized: int  # correct through `fit=mnist`
    refused: int
    sure_but_wrong: int  # through `fit=mnist`


class NumberScore(BaseModel):
    """Pages with one number of as many digits, on one background."""

    model_config = ConfigDict(frozen=True)

    background: str
    length: int
    total: int
    exact: int  # every digit right, none too many
    counted: int  # as many digits as there are


class NonDigitScore(BaseModel):
    """Pictures of one kind that hold no digit, at the threshold that loses LOST of real digits."""

    model_config = ConfigDict(frozen=True)

    kind: str
    total: int
    refused: int  # by `fit=mnist`
    by_confidence: int  # refused, or of a confidence below its threshold
    by_probe: int | None  # refused, or of a digit score below its threshold; None: the checkpoint has no probe
    sure: int  # answered with a confidence above SURE


class Yardstick(BaseModel):
    """All scores."""

    model_config = ConfigDict(frozen=True)

    pages: list[PageScore]
    mnist_c: list[MnistCScore]
    numbers: list[NumberScore] = []  # none, before numbers were read
    non_digits: list[NonDigitScore]
    real_digits: int  # that set the thresholds


def read_yardstick(file: Path) -> Yardstick:
    """Return the counts that an earlier card left in a JSON file.

    Raises:
        OSError: it cannot be read.
        InputError: it holds something else.
    """
    try:
        return Yardstick.model_validate_json(file.read_bytes())
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"])) or "the file"
        raise InputError(
            f"{file}: {place}: {problem['msg']}; expected the yardstick.json in the folder of a model card"
        ) from error


def measure_yardstick(
    classifier: Classifier,
    test: Split,
    *,
    log: Log,
    pages_each: int,
    in_mnist_c: int,
    numbers_each: int,
    non_digits_each: int,
) -> Yardstick:
    """Score a classifier on the yardstick's pictures.

    Args:
        classifier: of the card's checkpoint.
        test: the test images.
        log: is called with a line before each row.
        pages_each: number of digits, half of them scanned, on each kind of page in each strength.
        in_mnist_c: number of test images under each of MNIST-C's corruptions.
        numbers_each: number of numbers of each length on each background.
        non_digits_each: number of pictures of each kind of non-digits.
    """
    digits = mixed_digits(test, pages_each, PAGES_SEED)
    labels = np.array([digit.label for digit in digits])
    log(f"{pages_each} digits, black on white")
    plain = _read(classifier, plain_pages(digits))
    page_scores, real = [], [_right(plain, labels)]
    for i, (kind, strength) in enumerate((kind, s) for kind in PAGE_KINDS for s in range(len(STRENGTHS))):
        log(f"page {i + 1} of {len(PAGE_KINDS) * len(STRENGTHS)}: {kind}, {STRENGTHS[strength]}")
        predictions = _read(classifier, pages(kind, strength, digits))
        page_scores.append(_page_score(kind, strength, predictions, plain, labels))
        if strength == 0:
            real.append(_right(predictions, labels))
    first = test[: len(PAGE_KINDS) * pages_each]
    real.append(_right(predict_strict(classifier, first.images), first.labels))
    return Yardstick(
        pages=page_scores,
        mnist_c=_score_mnist_c(classifier, test[:in_mnist_c], log),
        numbers=_score_numbers(classifier, test, numbers_each, log),
        non_digits=_score_non_digits(classifier, real, non_digits_each, log),
        real_digits=sum(len(predictions.digits) for predictions in real),
    )


def _read(classifier: Classifier, pictures: Sequence[Gray]) -> TopPredictions:
    return predict_normalized(classifier, normalize_or_refuse(pictures))


def _right(predictions: TopPredictions, labels: NDArray[np.integer]) -> TopPredictions:
    """Return the correct ones among predictions."""
    is_right, scores = predictions.digits == labels, predictions.digit_scores
    return TopPredictions(
        predictions.digits[is_right],
        predictions.confidences[is_right],
        predictions.images[is_right],
        None if scores is None else scores[is_right],
    )


def _page_score(
    kind: str, strength: int, predictions: TopPredictions, plain: TopPredictions, labels: NDArray[np.integer]
) -> PageScore:
    is_correct, is_plain = predictions.digits == labels, plain.digits == labels
    return PageScore(
        kind=kind,
        strength=STRENGTHS[strength],
        total=len(labels),
        correct=int(is_correct.sum()),
        plain=int(is_plain.sum()),
        still_correct=int((is_correct & is_plain).sum()),
        refused=predictions.refused,
        sure_but_wrong=_sure_but_wrong(predictions, labels),
    )


def _sure_but_wrong(predictions: TopPredictions, labels: NDArray[np.integer]) -> int:
    return int(((predictions.digits != labels) & (predictions.confidences > SURE)).sum())


def _score_mnist_c(classifier: Classifier, test: Split, log: Log) -> list[MnistCScore]:
    scores = []
    for i, name in enumerate(MNIST_C, 1):
        log(f"MNIST-C {i} of {len(MNIST_C)}: {name}")
        images = mnist_c(name, test.images)
        predictions = _read(classifier, list(images))
        scores.append(
            MnistCScore(
                name=name,
                total=len(images),
                strict=predict_strict(classifier, images).correct(test.labels),
                normalized=predictions.correct(test.labels),
                refused=predictions.refused,
                sure_but_wrong=_sure_but_wrong(predictions, test.labels),
            )
        )
    return scores


def _score_numbers(classifier: Classifier, test: Split, each: int, log: Log) -> list[NumberScore]:
    scores = []
    for background in BACKGROUNDS:
        log(f"{len(LENGTHS) * each} numbers of {LENGTHS[0]} to {LENGTHS[-1]} digits: {background}")
        for length in LENGTHS:
            drawn = number_pages(background, length, each, test)
            texts = [_read_text(classifier, page.picture) for page in drawn]
            scores.append(
                NumberScore(
                    background=background,
                    length=length,
                    total=each,
                    exact=sum(text == page.digits for text, page in zip(texts, drawn, strict=True)),
                    counted=sum(sum(map(str.isdigit, text)) == length for text in texts),
                )
            )
    return scores


def _read_text(classifier: Classifier, picture: Gray) -> str:
    """Return the text that `inkling read` gives; none where it refuses the picture."""
    try:
        return read_page(classifier.read, find_page(picture)).text
    except InputError:
        return ""


def _score_non_digits(
    classifier: Classifier, real: Sequence[TopPredictions], each: int, log: Log
) -> list[NonDigitScore]:
    log(f"drawing {each} pictures of each of {len(NON_DIGITS | RELATED)} kinds that hold no digit")
    confidence = float(np.quantile(np.concatenate([predictions.confidences for predictions in real]), LOST))
    digit_scores = [predictions.digit_scores for predictions in real if predictions.digit_scores is not None]
    score = float(np.quantile(np.concatenate(digit_scores), LOST)) if digit_scores else None
    scores = []
    for kind in (*NON_DIGITS, *RELATED):
        predictions = _read(classifier, non_digits(kind, each))
        found = predictions.digit_scores
        if found is None:  # without a probe, or because all are refused
            found = np.zeros(each, np.float32)
        scores.append(
            NonDigitScore(
                kind=kind,
                total=each,
                refused=predictions.refused,
                by_confidence=int((predictions.confidences < confidence).sum()),
                by_probe=None if score is None else int((found < score).sum()),
                sure=int((predictions.confidences > SURE).sum()),
            )
        )
    return scores
