"""Everything that the model card tells of a checkpoint, measured."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inkling.mnist import Split
from inkling.model_card.corruptions import CHANGES, changed
from inkling.model_card.drawings import Drawing, draw_digits
from inkling.model_card.error_causes import causes_of
from inkling.model_card.file_variants import FILES, kept
from inkling.model_card.non_digits import NonDigit, draw_non_digits
from inkling.model_card.readings import Fitted, Readings, fit, read, read_fitted
from inkling.network.checkpoint import Checkpoint, save
from inkling.network.classifier import Classifier
from inkling.network.evaluation import Evaluation, evaluate
from inkling.vision.image_files import decode_picture

UNCHANGED = "none"
MAX_PIXELS = 1_000_000

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Scored:
    """A network's probabilities for the test images, and their scores."""

    probabilities: NDArray[np.float32]  # (n, 10)
    evaluation: Evaluation

    @classmethod
    def of(cls, classifier: Classifier, test: Split) -> "Scored":
        probabilities = classifier.probabilities(test.images)
        return cls(probabilities, evaluate(probabilities, test.labels))


@dataclass(frozen=True)
class ChangeScore:
    """How many test images are read right under a change: as they are, and through `fit=mnist`."""

    name: str
    raw: int
    fitted: int
    refused: int  # by `fit=mnist`; none of them is right
    compared_raw: int | None  # by the network compared with
    compared_fitted: int | None


@dataclass(frozen=True)
class FileScore:
    """Of test images that are read right as they are, how many still are when a file keeps them in some way."""

    name: str
    images: int
    right: int
    kept: int
    refused: int


@dataclass(frozen=True)
class Strokes:
    drawings: list[Drawing]
    fitted: Fitted
    readings: Readings
    compared: Readings | None
    causes: Counter[str]  # of the misread and refused ones, as in CAUSES

    @property
    def labels(self) -> NDArray[np.int64]:
        return np.array([drawing.label for drawing in self.drawings])

    @property
    def brushes(self) -> NDArray[np.float64]:
        return np.array([drawing.brush for drawing in self.drawings])


@dataclass(frozen=True)
class NonDigits:
    pictures: list[NonDigit]
    readings: Readings


@dataclass(frozen=True)
class Measurements:
    checkpoint: Checkpoint
    compared: Checkpoint | None
    test: Split
    scored: Scored
    untempered: Scored  # with temperature 1
    changes: list[ChangeScore]  # the first is UNCHANGED
    files: list[FileScore]
    strokes: Strokes
    non_digits: NonDigits


def measure(
    checkpoint: Checkpoint,
    compared: Checkpoint | None,
    test: Split,
    *,
    tell: Tell,
    in_files: int = 1000,
    drawings: int = 3000,
    non_digits_each: int = 20,
) -> Measurements:
    """Measure a checkpoint, and another one beside it.

    Args:
        checkpoint: the one that the card is about.
        compared: another one, whose robustness is told beside it.
        test: the test images; every change is made on all of them.
        tell: is called with a line before each phase; together they take minutes.
        in_files: how many test images are kept in each kind of file.
        drawings: how many digits are drawn as strokes.
        non_digits_each: how many pictures of each kind hold no digit.
    """
    classifier = Classifier(checkpoint, version=0)
    other = Classifier(compared, version=0) if compared else None
    untempered = save(checkpoint.parameters, checkpoint.card.model_copy(update={"temperature": 1.0}))
    tell(f"reading {len(test)} test images")
    return Measurements(
        checkpoint=checkpoint,
        compared=compared,
        test=test,
        scored=Scored.of(classifier, test),
        untempered=Scored.of(Classifier(untempered, version=0), test),
        changes=_changes(classifier, other, test, tell),
        files=_files(classifier, test[:in_files], tell),
        strokes=_strokes(classifier, other, drawings, tell),
        non_digits=_non_digits(classifier, test, non_digits_each, tell),
    )


def _changes(classifier: Classifier, other: Classifier | None, test: Split, tell: Tell) -> list[ChangeScore]:
    scores = []
    for i, name in enumerate([UNCHANGED, *CHANGES]):
        tell(f"change {i} of {len(CHANGES)}: {name}")
        images = test.images if name == UNCHANGED else changed(name, test.images)
        fitted = fit(images)
        readings = read_fitted(classifier, fitted)
        scores.append(
            ChangeScore(
                name=name,
                raw=read(classifier, images).right(test.labels),
                fitted=readings.right(test.labels),
                refused=readings.refused,
                compared_raw=read(other, images).right(test.labels) if other else None,
                compared_fitted=read_fitted(other, fitted).right(test.labels) if other else None,
            )
        )
    return scores


def _files(classifier: Classifier, test: Split, tell: Tell) -> list[FileScore]:
    tell(f"keeping {len(test)} test images in {len(FILES)} kinds of files")
    is_right = read(classifier, test.images).digits == test.labels
    scores = []
    for name in FILES:
        readings = read_fitted(classifier, fit(decode_picture(file, MAX_PIXELS) for file in kept(name, test.images)))
        still = int((is_right & (readings.digits == test.labels)).sum())
        scores.append(FileScore(name, len(test), right=int(is_right.sum()), kept=still, refused=readings.refused))
    return scores


def _strokes(classifier: Classifier, other: Classifier | None, count: int, tell: Tell) -> Strokes:
    tell(f"drawing {count} digits as strokes")
    drawings = list(draw_digits(count))
    fitted = fit(drawing.picture for drawing in drawings)
    readings = read_fitted(classifier, fitted)
    wrong = [drawing for drawing, digit in zip(drawings, readings.digits, strict=True) if drawing.label != digit]
    return Strokes(
        drawings=drawings,
        fitted=fitted,
        readings=readings,
        compared=read_fitted(other, fitted) if other else None,
        causes=causes_of(classifier, wrong),
    )


def _non_digits(classifier: Classifier, test: Split, each: int, tell: Tell) -> NonDigits:
    tell("drawing pictures that hold no digit")
    pictures = list(draw_non_digits(test.images, each))
    return NonDigits(pictures, read_fitted(classifier, fit(item.picture for item in pictures)))
