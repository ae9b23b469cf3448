"""Predictions on standard output, one line per image: as text, as JSON or as CSV."""

import csv
import dataclasses
import json
import sys
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

from inkling.digit import NUM_CLASSES, Floats
from inkling.predictor import Predictions

Output = Callable[[Path, Predictions, float], None]
"""Prints the predictions of one file, which are of one image; the last argument is the score of the least digit."""


def choose_output(*, as_json: bool, as_csv: bool) -> Output:
    """Return how predictions are printed; with `as_csv`, print the header of the table."""
    return csv_output() if as_csv else print_json if as_json else print_text


def print_text(file: Path, predictions: Predictions, threshold: float) -> None:
    """Print `FILE: DIGIT (CONFIDENCE)`, and whether it is no digit."""
    (digit,) = predictions.digits
    doubt = ", but it looks like no digit" if predictions.are_digits(threshold) == [False] else ""
    answer = digit if predictions.classes is None else predictions.classes[digit]
    print(f"{file}: {answer} ({predictions.probabilities[0, digit]:.3f}){doubt}")


def print_json(file: Path, predictions: Predictions, threshold: float) -> None:
    """Print one object with the fields of the service's answer, and the file."""
    (digit,) = predictions.digits
    probabilities = _shortest(predictions.probabilities[0])
    fields: dict[str, Any] = {
        "file": str(file),
        "digit": digit,
        "confidence": probabilities[digit],
        "probabilities": probabilities,
    }
    if predictions.classes is not None:
        fields["label"] = predictions.classes[digit]
    if predictions.digit_scores is not None:
        fields["is_digit"] = predictions.are_digits(threshold) == [True]
        (fields["digit_score"],) = _shortest(predictions.digit_scores)
    if predictions.reports:
        fields["normalized"] = dataclasses.asdict(predictions.reports[0])
    elif predictions.warnings[0]:
        fields["warnings"] = predictions.warnings[0]
    print(json.dumps(fields))


def csv_output() -> Output:
    """Print the header of a table, and return what prints its rows."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    columns = ["file", "digit", "confidence", *(f"p{digit}" for digit in range(NUM_CLASSES)), "warnings", "is_digit"]
    writer.writerow(columns)

    def print_row(file: Path, predictions: Predictions, threshold: float) -> None:
        (digit,) = predictions.digits
        probabilities = _shortest(predictions.probabilities[0])
        warnings = "; ".join(warnings_of(predictions))
        is_digit = "" if predictions.digit_scores is None else predictions.are_digits(threshold) == [True]
        writer.writerow([file, digit, probabilities[digit], *probabilities, warnings, str(is_digit).lower()])

    return print_row


def warnings_of(predictions: Predictions) -> list[str]:
    return list(chain.from_iterable(predictions.warnings))


def _shortest(numbers: Floats) -> list[float]:
    """Return numbers (n,) with no more decimals than their float32 needs."""
    return [float(str(number)) for number in numbers]
