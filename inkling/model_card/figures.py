"""Which pictures the model card shows, drawn from what was measured."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inkling.digit import NUM_CLASSES
from inkling.model_card.charts import confusion_picture, reliability_picture, sheet
from inkling.model_card.corruptions import CHANGES, changed
from inkling.model_card.drawings import BRUSHES
from inkling.model_card.measurements import Measurements
from inkling.model_card.readings import REFUSED

MISREAD = 60
STROKES_MISREAD = 30
ANSWERED = 30
"""The most pictures that a sheet of failures shows: the surest first."""


def figures(measured: Measurements) -> dict[str, Image.Image]:
    """Return the pictures by their names; a sheet of failures is left out where nothing fails."""
    scored, untempered = measured.scored, measured.untempered
    labels = measured.test.labels
    temperature = measured.checkpoint.card.temperature
    pictures = {
        "confusion": confusion_picture(scored.evaluation.confusion_matrix),
        "reliability": reliability_picture(
            [
                ("before: temperature 1", untempered.probabilities, labels),
                (f"after: temperature {temperature:.4f}", scored.probabilities, labels),
            ]
        ),
        "changes": _changes(measured),
        "strokes": _strokes(measured),
        "misread": _misread(measured),
        "strokes_misread": _strokes_misread(measured),
        "no_digits": _no_digits(measured),
    }
    return {name: picture for name, picture in pictures.items() if picture is not None}


def surest(confidences: NDArray[np.float32], is_chosen: NDArray[np.bool_], limit: int) -> list[int]:
    """Return the places of the chosen with the max_filter confidences (n,), max_filter first, at most `limit`."""
    order = np.argsort(-confidences, kind="stable")
    chosen: list[int] = order[is_chosen[order]][:limit].tolist()
    return chosen


def _changes(measured: Measurements) -> Image.Image:
    """Return a row for each change: the first test image of each digit, under it."""
    labels = measured.test.labels
    digits = [int(np.argmax(labels == digit)) for digit in range(NUM_CLASSES)]
    pictures = [picture for name in CHANGES for picture in changed(name, measured.test.images)[digits]]
    return sheet(pictures, [""] * len(pictures), columns=NUM_CLASSES, tile=56, row_titles=list(CHANGES))


def _strokes(measured: Measurements) -> Image.Image:
    """Return the first drawings, 0 to 9: a row for each brush."""
    drawings = measured.strokes.drawings[: NUM_CLASSES * len(BRUSHES)]
    titles = [f"brush {drawing.brush:.2f}" for drawing in drawings[::NUM_CLASSES]]
    pictures = [drawing.picture for drawing in drawings]
    return sheet(pictures, [""] * len(pictures), columns=NUM_CLASSES, tile=70, row_titles=titles)


def _misread(measured: Measurements) -> Image.Image | None:
    """Return test digits with their label, what was read instead, and how sure it was; dark ink on white."""
    probabilities, labels = measured.scored.probabilities, measured.test.labels
    digits, confidences = probabilities.argmax(axis=1), probabilities.max(axis=1)
    places = surest(confidences, digits != labels, MISREAD)
    captions = [f"{labels[i]} as {digits[i]}, {confidences[i]:.2f}" for i in places]
    return sheet([255 - measured.test.images[i] for i in places], captions, columns=10, tile=84) if places else None


def _strokes_misread(measured: Measurements) -> Image.Image | None:
    """Return drawings, each beside the 28x28 pixels that the network saw, if it saw any."""
    strokes = measured.strokes
    readings = strokes.readings
    places = surest(readings.confidences, readings.digits != strokes.labels, STROKES_MISREAD)
    pictures, captions = [], []
    for i in places:
        digit, label = readings.digits[i], strokes.labels[i]
        pictures += [strokes.drawings[i].picture, 255 - strokes.fitted.images[i]]
        captions += (
            [f"{label} refused", ""] if digit == REFUSED else [f"{label} as {digit}", f"{readings.confidences[i]:.2f}"]
        )
    return sheet(pictures, captions, columns=10, tile=84) if places else None


def _no_digits(measured: Measurements) -> Image.Image | None:
    """Return the pictures without a digit that got one all the same."""
    readings = measured.non_digits.readings
    places = surest(readings.confidences, readings.digits != REFUSED, ANSWERED)
    pictures = [measured.non_digits.pictures[i].picture for i in places]
    captions = [f"{readings.digits[i]}, {readings.confidences[i]:.2f}" for i in places]
    return sheet(pictures, captions, columns=10, tile=84) if places else None
