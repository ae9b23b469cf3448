"""The recipe on the command line: `--set NAME=VALUE`, and the table of its fields in the help."""

import textwrap
from collections.abc import Iterable
from typing import Any

from typer.core import TyperCommand

from inkling.errors import RecipeError
from inkling.network import recipe_words
from inkling.network.recipe import OVERRIDABLE, RECIPES, TUTORIAL, Recipe, RecipeName
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
    """Return a recipe with some fields changed, as `recipe_words.read_recipe`.

    Raises:
        UsageError: a word has another form, there is no such field, or the value is not allowed.
    """
    try:
        return recipe_words.read_recipe(name, overrides)
    except RecipeError as error:
        raise UsageError(str(error)) from error


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
