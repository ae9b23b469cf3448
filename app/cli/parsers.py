"""Parsers of arguments, whose errors name the value and the limit."""

from collections.abc import Callable
from typing import Annotated

import typer

from inkling.registry.records import MAX_ID


def integer(low: int, high: int) -> Callable[[str | int], int]:
    """Return a parser of the integers from `low` to `high`."""

    def parse(value: str | int) -> int:
        text = str(value)  # Typer parses the default, too
        if not text.isdecimal() or len(text) > len(str(high)) or not low <= int(text) <= high:
            raise typer.BadParameter(f"{text!r} is not an integer from {low} to {high}")
        return int(text)

    return parse


VersionArgument = Annotated[
    int, typer.Argument(metavar="VERSION", parser=integer(1, MAX_ID), help="number of the version")
]
