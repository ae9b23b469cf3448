"""The JSON answer of /read: the numbers of one or more pictures."""

from typing import Any

import orjson

from app.serving.png_data_uri import png_data_uri
from inkling.numbers import Digit, NumberLine
from inkling.predictor import NumberReadings


def numbers_json(readings: NumberReadings, threshold: float, *, return_image: bool) -> bytes:
    """Return the answer, with the image of each digit if it is asked for.

    A digit whose score is below the threshold is given, but its `is_digit` is false.
    """
    pictures = readings.pictures
    lines = [
        _line(number, line, threshold, return_image=return_image)
        for number, picture in enumerate(pictures, 1)
        for line in picture.lines
    ]
    warnings = [
        warning if len(pictures) == 1 else f"image {number}: {warning}"
        for number, picture in enumerate(pictures, 1)
        for warning in picture.warnings
    ]
    return orjson.dumps(
        {
            "version": readings.version,
            "text": "\n".join(picture.text for picture in pictures),
            "lines": lines,
            "warnings": warnings,
        },
        option=orjson.OPT_SERIALIZE_NUMPY,
    )


def _line(picture: int, line: NumberLine, threshold: float, *, return_image: bool) -> dict[str, Any]:
    return {
        "picture": picture,
        "text": line.text,
        "box": line.box,
        "digits": [_digit(digit, threshold, return_image=return_image) for digit in line.digits],
        "marks": [{"mark": mark.mark, "box": mark.box} for mark in line.marks],
    }


def _digit(digit: Digit, threshold: float, *, return_image: bool) -> dict[str, Any]:
    shown = {"image": png_data_uri(digit.image)} if return_image else {}
    return {
        "digit": digit.digit,
        "confidence": digit.probabilities[digit.digit],
        "probabilities": digit.probabilities,
        "box": digit.box,
        **digit.score_fields(threshold),
        **({"warnings": digit.warnings} if digit.warnings else {}),
        **shown,
    }
