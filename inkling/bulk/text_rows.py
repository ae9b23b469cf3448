"""Results as text: CSV, or one JSON object per line. Numbers have as many decimals as their float32 needs."""

import re
from dataclasses import asdict
from typing import Any, Final

import numpy as np
import orjson

from inkling.bulk.predictions import Results
from inkling.digit import NUM_CLASSES
from inkling.predictor import Predictions

COLUMNS: Final = (
    *("file", "row", "digit", "confidence"),
    *(f"p{digit}" for digit in range(NUM_CLASSES)),
    *("digit_score", "is_digit", "warnings", "error"),
)
_SPECIAL = re.compile(r'[",\r\n]')


def csv_header() -> bytes:
    return (",".join(COLUMNS) + "\n").encode()


def csv_rows(results: Results, threshold: float) -> bytes:
    """Return one line of COLUMNS per image; of one that cannot be read only file, row and error."""
    read = [] if results.predictions is None else _csv_predictions(results.predictions, threshold)
    if results.errors:
        predicted = iter(read)
        read = [
            _UNREAD + _csv_text(results.errors[i]) if i in results.errors else next(predicted)
            for i in range(results.count)
        ]
    if isinstance(results.files, str):
        names = [_csv_text(results.files)] * results.count
    else:
        names = [_csv_text(name) for name in results.files]
    if results.first_row is None:
        return b"".join(b"%b,,%b\n" % row for row in zip(names, read, strict=True))
    numbers = range(results.first_row, results.first_row + results.count)
    return b"".join(b"%b,%d,%b\n" % row for row in zip(names, numbers, read, strict=True))


def json_rows(results: Results, threshold: float) -> bytes:
    """Return one object per image: file, row, and the fields of the service's answer, or the error."""
    read = [] if results.predictions is None else _json_predictions(results.predictions, threshold)
    predicted = iter(read)
    lines = []
    for i in range(results.count):
        fields: dict[str, Any] = {"file": printable(results.file(i))}
        if results.first_row is not None:
            fields["row"] = results.first_row + i
        fields |= {"error": printable(results.errors[i])} if i in results.errors else next(predicted)
        lines.append(orjson.dumps(fields, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE))
    return b"".join(lines)


def printable(text: str) -> str:
    r"""Return a text as UTF-8 can hold it: bytes of a file name that are not UTF-8 as `\udcff`."""
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


_UNREAD: Final = b"," * (len(COLUMNS) - 3)
"""The columns between the row and the error."""


def _csv_text(text: str) -> bytes:
    if _SPECIAL.search(text):
        text = '"' + text.replace('"', '""') + '"'
    return printable(text).encode()


def _csv_predictions(predictions: Predictions, threshold: float) -> list[bytes]:
    """Return the columns from the digit on. The numbers of all images become text at once, which is faster."""
    probabilities, scores = predictions.probabilities, predictions.digit_scores
    columns = [probabilities.max(axis=1), probabilities] + ([] if scores is None else [scores])
    table = np.column_stack(columns)  # (n, 12), or (n, 11)
    numbers = orjson.dumps(table, option=orjson.OPT_SERIALIZE_NUMPY)[2:-2].split(b"],[")
    are_digits = predictions.are_digits(threshold)
    ends = [b",,,"] * len(table) if are_digits is None else [_IS_DIGIT[is_digit] for is_digit in are_digits]
    if any(predictions.warnings):
        warnings = [_csv_text("; ".join(some)) for some in predictions.warnings]
        ends = [b"%b%b," % (end[:-1], warning) for end, warning in zip(ends, warnings, strict=True)]
    return [b"%d,%b%b" % row for row in zip(predictions.digits, numbers, ends, strict=True)]


_IS_DIGIT: Final = {True: b",true,,", False: b",false,,"}
"""What follows the score: whether it is a digit, no warnings, no error."""


def _json_predictions(predictions: Predictions, threshold: float) -> list[dict[str, Any]]:
    """Return the fields of the service's answers, but for the version."""
    items = predictions.items(threshold)
    if predictions.reports:
        for item, report in zip(items, predictions.reports, strict=True):
            item["normalized"] = asdict(report)
    elif any(predictions.warnings):
        for item, warnings in zip(items, predictions.warnings, strict=True):
            if warnings:
                item["warnings"] = warnings
    return items
