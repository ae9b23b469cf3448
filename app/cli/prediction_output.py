"""Predictions on standard output, one line per image: as text, as JSON or as CSV."""

import csv
import dataclasses
import json
import sys
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

from inkling.digit import NUM_CLASSES
from inkling.predictor import Predictions

Output = Callable[[Path, Predictions], None]
"""Prints the predictions of one file, which are of one image."""


def choose_output(*, as_json: bool, as_csv: bool) -> Output:
    """Return how predictions are printed; with `as_csv`, print the header of the table."""
    return csv_output() if as_csv else print_json if as_json else print_text


def print_text(file: Path, predictions: Predictions) -> None:
    """Print `FILE: DIGIT (CONFIDENCE)`."""
    (digit,) = predictions.digits
    print(f"{file}: {digit} ({predictions.probabilities[0, digit]:.3f})")


def print_json(file: Path, predictions: Predictions) -> None:
    """Print one object with the fields of the service's answer, and the file."""
    (digit,) = predictions.digits
    probabilities = _shortest(predictions)
    fields: dict[str, Any] = {
        "file": str(file),
        "digit": digit,
        "confidence": probabilities[digit],
        "probabilities": probabilities,
    }
    if predictions.reports:
        fields["normalized"] = dataclasses.asdict(predictions.reports[0])
    elif predictions.warnings[0]:
        fields["warnings"] = predictions.warnings[0]
    print(json.dumps(fields))


def csv_output() -> Output:
    """Print the header of a table, and return what prints its rows."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["file", "digit", "confidence", *(f"p{digit}" for digit in range(NUM_CLASSES)), "warnings"])

    def print_row(file: Path, predictions: Predictions) -> None:
        (digit,) = predictions.digits
        probabilities = _shortest(predictions)
        writer.writerow([file, digit, probabilities[digit], *probabilities, "; ".join(warnings_of(predictions))])

    return print_row


def warnings_of(predictions: Predictions) -> list[str]:
    return list(chain.from_iterable(predictions.warnings))


def _shortest(predictions: Predictions) -> list[float]:
    """Return the ten probabilities with no more decimals than their float32 needs."""
    return [float(str(probability)) for probability in predictions.probabilities[0]]
