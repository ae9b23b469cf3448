"""The recipe on the command line: `--set NAME=VALUE`, and the table of its fields in the help."""

import textwrap
from collections.abc import Iterable
from contextlib import suppress
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from typer.core import TyperCommand

from inkling.network.recipe import FORMER_FIELDS, OVERRIDABLE, RECIPES, TUTORIAL, Recipe, RecipeName
from training.command_errors import UsageError

PUBLISHED_FIELDS = {
    "name",
    "learning_rate",
    "batch_size",
    "training_steps",
    "display_step",
    "shuffle_buffer",
    "validation_size",
    "seed",
}
"""The fields of a recipe that `tutorial.train` reads."""


class RecipeCommand(TyperCommand):
    """A command whose help ends with a table of the recipe's fields."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Fields of a recipe, for --set"):
            for line in _table(formatter.width - formatter.current_indent):
                formatter.write(f"{'':{formatter.current_indent}}{line}\n")


def read_recipe(name: RecipeName, overrides: Iterable[str]) -> Recipe:
    """Return a recipe with some fields changed by words of the form NAME=VALUE.

    Raises:
        UsageError: a word has another form, there is no such field, or the value is not allowed.
    """
    words: dict[str, str] = {}
    for override in overrides:
        field, equals, value = override.partition("=")
        if not equals or not field:
            raise UsageError(f"--set {override}: expected NAME=VALUE, for example --set {field or 'seed'}=1")
        if field not in OVERRIDABLE:
            raise UsageError(f"--set {override}: a recipe has no field {field!r}; {_suggest(field)}")
        words[field] = value
    try:
        return RECIPES[name].with_overrides({field: _number(word) for field, word in words.items()})
    except ValidationError as error:
        raise UsageError("; ".join(_describe(item, words) for item in error.errors())) from error


def _number(word: str) -> int | float | str:
    """Return a word as the number that it stands for, or as it is if it stands for none."""
    for parse in (int, float):
        with suppress(ValueError):
            return parse(word)
    return word


def check_eager(recipe: Recipe, *, is_published: bool) -> None:
    """Check that the tutorial's program can do what is asked for.

    Raises:
        UsageError: the recipe has fields that the program ignores, or the run is to be published.
    """
    if is_published:
        raise UsageError(
            "--eager cannot be combined with --publish: the server could not pause, cancel or resume such a run. "
            "Use --out FILE, then `inkling import FILE`"
        )
    published = TUTORIAL.model_dump()
    others = [
        f"{name}={value}"
        for name, value in recipe.model_dump().items()
        if name not in PUBLISHED_FIELDS and value != published[name]
    ]
    if others:
        raise UsageError(
            f"--eager runs the published tutorial, which knows no {', '.join(others)}; "
            "leave out --eager, or start from --recipe tutorial"
        )


def _suggest(name: str) -> str:
    nearest = [FORMER_FIELDS[name]] if name in FORMER_FIELDS else get_close_matches(name, OVERRIDABLE, n=1)
    return f"did you mean {nearest[0]}?" if nearest else f"its fields are {', '.join(OVERRIDABLE)}"


def _describe(item: ErrorDetails, words: dict[str, str]) -> str:
    message = item["msg"].removeprefix("Value error, ")
    return "; ".join([f"--set {field}={words.get(str(field))!r}: {message}" for field in item["loc"]]) or message


def _table(width: int) -> list[str]:
    """Return the lines of a table: each field, its value in each recipe, and its meaning."""
    presets = {name: recipe.model_dump() for name, recipe in RECIPES.items()}
    rows = [("field", *presets)]
    rows += [(field, *(str(values[field]) for values in presets.values())) for field in OVERRIDABLE]
    meanings = ["meaning", *(Recipe.model_fields[field].description or "" for field in OVERRIDABLE)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines: list[str] = []
    for row, meaning in zip(rows, meanings, strict=True):
        start = "  ".join(f"{cell:<{column}}" for cell, column in zip(row, widths, strict=True)) + "  "
        lines += textwrap.wrap(meaning, width, initial_indent=start, subsequent_indent=" " * len(start))
    return lines
