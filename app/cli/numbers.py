"""`inkling read`: the numbers on image files."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.commands import Command
from app.cli.failures import UsageError, describe, print_error, print_warning
from app.cli.images import LIMITS, expand_all, limits_of
from app.cli.predictors import CheckpointOption, load_predictor
from app.cli.progress import Progress
from app.cli.settings_flags import with_settings
from app.settings import Settings
from inkling.errors import InputError
from inkling.numbers import Digit, NumberLine, Numbers

commands = typer.Typer(rich_markup_mode=None, add_completion=False)


@commands.command(cls=Command)
@with_settings("data_dir", "database_url", *LIMITS, "digit_threshold")
def read(
    settings: Settings,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
            help="image files of any size, drawn or photographed (PNG, JPEG, WebP, BMP, GIF, AVIF, HEIC); folders, for "
            "the image files directly in them; and quoted patterns, such as 'scans/**/*.png'",
        ),
    ],
    *,
    checkpoint: CheckpointOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per file, with every digit and its box.")
    ] = False,
) -> int:
    """Read the numbers on image files, and print them line by line. Files that cannot be read are errors."""
    predictor = load_predictor(settings, checkpoint)
    if not predictor.learned.shows_digits:
        raise UsageError(f"the version learned {predictor.learned}: numbers are made of digits")
    paths, failures = expand_all(files)
    progress = Progress(len(paths))
    for done, path in enumerate(paths):
        progress.show(done)
        try:
            numbers = predictor.read_numbers(path, **limits_of(settings))
        except (InputError, OSError) as error:
            progress.clear()
            print_error(f"{path}: {error.strerror or error}" if isinstance(error, OSError) else describe(error))
            failures += 1
            continue
        progress.clear()
        for warning in _warnings(numbers):
            print_warning(f"{path}: {warning}")
        if as_json:
            print(json.dumps({"file": str(path), **_fields(numbers, settings.digit_threshold)}))
        else:
            for line in numbers.lines:
                print(f"{path}: {line.text}")
    progress.clear()
    return 1 if failures else 0


def _warnings(numbers: Numbers) -> list[str]:
    """Return the warnings about a picture, and those about its digits, which name the digit."""
    about_digits = [
        f"{digit.digit} at {', '.join(map(str, digit.box))}: {warning}"
        for line in numbers.lines
        for digit in line.digits
        for warning in digit.warnings
    ]
    return [*numbers.warnings, *about_digits]


def _fields(numbers: Numbers, threshold: float) -> dict[str, Any]:
    """Return the fields of the service's answer, but for the version."""
    return {
        "text": numbers.text,
        "lines": [_line(line, threshold) for line in numbers.lines],
        "warnings": numbers.warnings,
    }


def _line(line: NumberLine, threshold: float) -> dict[str, Any]:
    return {
        "text": line.text,
        "box": line.box,
        "digits": [_digit(digit, threshold) for digit in line.digits],
        "marks": [{"mark": mark.mark, "box": mark.box} for mark in line.marks],
    }


def _digit(digit: Digit, threshold: float) -> dict[str, Any]:
    probabilities = [float(str(probability)) for probability in digit.probabilities]  # no more decimals than float32's
    warned = {"warnings": digit.warnings} if digit.warnings else {}
    return {
        "digit": digit.digit,
        "confidence": probabilities[digit.digit],
        "probabilities": probabilities,
        "box": digit.box,
        **digit.score_fields(threshold),
        **warned,
    }
