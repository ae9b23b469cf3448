"""The fields of a recipe as words of a command line: `NAME=VALUE`."""

from collections.abc import Iterable
from contextlib import suppress
from difflib import get_close_matches

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from inkling.errors import RecipeError
from inkling.network.recipe import FORMER_FIELDS, OVERRIDABLE, RECIPES, Recipe, RecipeName


def read_recipe(name: RecipeName, overrides: Iterable[str]) -> Recipe:
    """Return a recipe with some fields changed by words of the form NAME=VALUE.

    Raises:
        RecipeError: a word has another form, there is no such field, or the value is not allowed.
    """
    words: dict[str, str] = {}
    for override in overrides:
        field, equals, value = override.partition("=")
        if not equals or not field:
            raise RecipeError(f"--set {override}: expected NAME=VALUE, for example --set {field or 'seed'}=1")
        if field not in OVERRIDABLE:
            raise RecipeError(f"--set {override}: a recipe has no field {field!r}; {suggest_field(field)}")
        words[field] = value
    try:
        return RECIPES[name].with_overrides({field: to_number(word) for field, word in words.items()})
    except ValidationError as error:
        raise RecipeError("; ".join(_describe(item, words) for item in error.errors())) from error


def to_number(word: str) -> int | float | str:
    """Return a word as the number that it stands for, or as it is if it stands for none."""
    for parse in (int, float):
        with suppress(ValueError):
            return parse(word)
    return word


def suggest_field(name: str) -> str:
    """Return in words which field was probably meant, or which there are."""
    nearest = [FORMER_FIELDS[name]] if name in FORMER_FIELDS else get_close_matches(name[:100], OVERRIDABLE, n=1)
    return f"did you mean {nearest[0]}?" if nearest else f"its fields are {', '.join(OVERRIDABLE)}"


def _describe(item: ErrorDetails, words: dict[str, str]) -> str:
    message = item["msg"].removeprefix("Value error, ")
    return "; ".join([f"--set {field}={words.get(str(field))!r}: {message}" for field in item["loc"]]) or message
