"""The choice of charts and contact sheets for the model card, from the measurements."""

from functools import partial

import numpy as np
from PIL import Image

from inkling.digit import NUM_CLASSES, Floats, Mask
from inkling.model_card.charts import chart_png, draw_confusion, draw_reliability
from inkling.model_card.contact_sheet import contact_sheet
from inkling.model_card.corruptions import CORRUPTIONS, corrupted
from inkling.model_card.drawings import BRUSHES
from inkling.model_card.measurements import Measurements
from inkling.model_card.predictions import REFUSED
from inkling.model_card.yardstick.handwriting import mixed_digits
from inkling.model_card.yardstick.mnist_c import MNIST_C, mnist_c
from inkling.model_card.yardstick.non_digits import NON_DIGITS, non_digits
from inkling.model_card.yardstick.number_pages import BACKGROUNDS, LENGTHS, number_pages
from inkling.model_card.yardstick.pages import PAGE_KINDS, STRENGTHS, pages
from inkling.model_card.yardstick.scores import PAGES_SEED
from inkling.vision.image_files import png_bytes

MISREAD = 60
MISREAD_DRAWINGS = 30
ANSWERED = 30
"""The largest number of pictures on a sheet of failures; those of the highest confidence are shown."""


def card_charts(measured: Measurements) -> dict[str, bytes]:
    """Return PNG files by name; a sheet of failures is left out if nothing fails."""
    labels = measured.test.labels
    panels = [
        ("Before: temperature 1", measured.uncalibrated.probabilities, labels),
        (f"After: temperature {measured.checkpoint.card.temperature:.4f}", measured.single_view.probabilities, labels),
    ]
    confusion_matrix = measured.scored.evaluation.confusion_matrix
    charts = {
        "confusion": chart_png(partial(draw_confusion, matrix=confusion_matrix), 6, 6),
        "reliability": chart_png(partial(draw_reliability, panels=panels), 8.4, 4.4),
    }
    sheets = {
        "corruptions": _corruptions(measured),
        "drawings": _drawings(measured),
        "pages": _pages(measured),
        "mnist_c": _mnist_c(measured),
        "numbers": _numbers(measured),
        "non_digits": _non_digits(),
        "misread": _misread(measured),
        "misread_drawings": _misread_drawings(measured),
        "out_of_distribution": _answered_out_of_distribution(measured),
    }
    return charts | {name: png_bytes(sheet) for name, sheet in sheets.items() if sheet is not None}


def most_confident(confidences: Floats, is_chosen: Mask, limit: int) -> list[int]:
    """Return the indices of at most `limit` chosen items by falling confidence (n,)."""
    order = np.argsort(-confidences, kind="stable")
    chosen: list[int] = order[is_chosen[order]][:limit].tolist()
    return chosen


def _corruptions(measured: Measurements) -> Image.Image:
    """Return one row per corruption, with the first test image of each digit."""
    labels = measured.test.labels
    digits = [int(np.argmax(labels == digit)) for digit in range(NUM_CLASSES)]
    pictures = [picture for name in CORRUPTIONS for picture in corrupted(name, measured.test.images)[digits]]
    titles = list(CORRUPTIONS)
    return contact_sheet(pictures, [""] * len(pictures), columns=NUM_CLASSES, tile=56, row_titles=titles)


def _drawings(measured: Measurements) -> Image.Image:
    """Return one row per brush, with the first drawings of 0 to 9."""
    drawings = measured.drawings.drawings[: NUM_CLASSES * len(BRUSHES)]
    titles = [f"brush {drawing.brush:.2f}" for drawing in drawings[::NUM_CLASSES]]
    pictures = [drawing.picture for drawing in drawings]
    return contact_sheet(pictures, [""] * len(pictures), columns=NUM_CLASSES, tile=70, row_titles=titles)


def _pages(measured: Measurements) -> Image.Image:
    """Return one row per kind of page, with the first three digits in each strength."""
    digits = mixed_digits(measured.test, 3, PAGES_SEED)
    pictures = [page for kind in PAGE_KINDS for i in range(len(STRENGTHS)) for page in pages(kind, i, digits)]
    return contact_sheet(pictures, [""] * len(pictures), columns=9, tile=72, row_titles=list(PAGE_KINDS))


def _mnist_c(measured: Measurements) -> Image.Image:
    """Return one row per corruption, with the first test images."""
    first = measured.test.images[:NUM_CLASSES]
    pictures = [picture for name in MNIST_C for picture in mnist_c(name, first)]
    return contact_sheet(pictures, [""] * len(pictures), columns=len(first), tile=56, row_titles=list(MNIST_C))


def _numbers(measured: Measurements) -> Image.Image | None:
    """Return one row per background, with the first number of every second length."""
    if not measured.yardstick.numbers:
        return None
    shown = [
        page
        for background in BACKGROUNDS
        for length in LENGTHS[::2]
        for page in number_pages(background, length, 1, measured.test)
    ]
    titles, captions = list(BACKGROUNDS), [page.digits for page in shown]
    return contact_sheet([page.picture for page in shown], captions, columns=4, tile=150, row_titles=titles)


def _non_digits() -> Image.Image:
    """Return one row per kind, with its first pictures."""
    pictures = [picture for kind in NON_DIGITS for picture in non_digits(kind, NUM_CLASSES)]
    return contact_sheet(pictures, [""] * len(pictures), columns=NUM_CLASSES, tile=56, row_titles=list(NON_DIGITS))


def _misread(measured: Measurements) -> Image.Image | None:
    """Return misread test digits, dark on white, with label, prediction and confidence."""
    probabilities, labels = measured.scored.probabilities, measured.test.labels
    digits, confidences = probabilities.argmax(axis=1), probabilities.max(axis=1)
    chosen = most_confident(confidences, digits != labels, MISREAD)
    pictures = [255 - measured.test.images[i] for i in chosen]
    captions = [f"{labels[i]} as {digits[i]}, {confidences[i]:.2f}" for i in chosen]
    return contact_sheet(pictures, captions, columns=10, tile=84) if chosen else None


def _misread_drawings(measured: Measurements) -> Image.Image | None:
    """Return misread drawings, each beside the normalized image that the network saw."""
    results = measured.drawings
    predictions = results.predictions
    chosen = most_confident(predictions.confidences, predictions.digits != results.labels, MISREAD_DRAWINGS)
    pictures, captions = [], []
    for i in chosen:
        label, digit, confidence = results.labels[i], predictions.digits[i], predictions.confidences[i]
        pictures += [results.drawings[i].picture, 255 - predictions.images[i]]
        captions += [f"{label} refused", ""] if digit == REFUSED else [f"{label} as {digit}", f"{confidence:.2f}"]
    return contact_sheet(pictures, captions, columns=10, tile=84) if chosen else None


def _answered_out_of_distribution(measured: Measurements) -> Image.Image | None:
    """Return the out-of-distribution pictures that were answered with a digit."""
    results = measured.out_of_distribution
    digits, confidences = results.predictions.digits, results.predictions.confidences
    chosen = most_confident(confidences, digits != REFUSED, ANSWERED)
    pictures = [results.pictures[i].picture for i in chosen]
    captions = [f"{digits[i]}, {confidences[i]:.2f}" for i in chosen]
    return contact_sheet(pictures, captions, columns=10, tile=84) if chosen else None
