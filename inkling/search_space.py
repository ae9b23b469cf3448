"""The space of a search: the fields of a recipe that it varies, and the values that it tries.

Written as `learning_rate=log:0.001..0.01`, `rotation=0..20`, `warmup_steps=int:0..500` and `optimizer={adam,muon}`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from math import isfinite
from typing import Any, Literal, get_origin

from pydantic import ValidationError

from inkling.errors import SpaceError
from inkling.network.recipe import OVERRIDABLE, Recipe
from inkling.network.recipe_words import suggest_field, to_number

Value = int | float | str

MAX_FIELDS = 8
"""Fields of a space: each pair of ends is tried with each other one when the space is read."""
MAX_CHOICES = 50
FIXED = {
    "validation_size": "the trials are compared on the same held-out images",
    "display_step": "the trials are compared at the same steps",
    "base": "the trials start from the same version",
}
"""Fields that no search varies, and why."""
FORMS = "expected FROM..TO, log:FROM..TO, int:FROM..TO or {A,B,C}"


@dataclass(frozen=True)
class Dimension:
    """The values that a search tries for one field."""

    field: str
    low: float = 0
    high: float = 0
    is_integer: bool = False
    is_log: bool = False
    choices: tuple[Value, ...] = ()
    """If there are some, they are the values, and there are no bounds."""

    def ends(self) -> tuple[Value, ...]:
        """Return values of which one is the extreme in each direction."""
        if not self.choices:
            return (self._typed(self.low), self._typed(self.high))
        return (min(self.choices, key=_order), max(self.choices, key=_order))

    def nearest(self, value: Value) -> Value:
        """Return a value that a sampler has chosen as a person would write it: with four digits, within the bounds."""
        if self.choices or self.is_integer or isinstance(value, str):
            return value
        return min(max(float(f"{value:.4g}"), self.low), self.high)

    def _typed(self, value: float) -> Value:
        return int(value) if self.is_integer else value


@dataclass(frozen=True)
class Space:
    """The dimensions of a search, in the order of their names, on which its random choices depend."""

    dimensions: tuple[Dimension, ...]

    @classmethod
    def read(cls, words: Mapping[str, str], recipe: Recipe) -> "Space":
        """Return the space that words describe, by the names of fields.

        Raises:
            SpaceError: there is no such field, the recipe does not allow a value, or one together with another, or the
            trials could not be compared.
        """
        if not 1 <= len(words) <= MAX_FIELDS:
            raise SpaceError(f"a space has 1 to {MAX_FIELDS} fields, not {len(words)}")
        space = cls(tuple(_read_dimension(name, words[name].strip(), recipe) for name in sorted(words)))
        for values in product(*(dimension.ends() for dimension in space.dimensions)):
            chosen = dict(zip(sorted(words), values, strict=True))
            shown = " together with ".join(f"{name}={value}" for name, value in chosen.items())
            _require_scores(_check(recipe, chosen, None, shown))
        return space


def _require_scores(recipe: Recipe) -> None:
    """Check that the trials of a recipe can be compared.

    Raises:
        SpaceError: no images are held out, or the trial ends before they are read.
    """
    if not recipe.validation_size:
        raise SpaceError("validation_size is 0, and the trials are compared on held-out images: set it to 1 or more")
    if recipe.training_steps < recipe.display_step:
        raise SpaceError(
            f"training_steps is {recipe.training_steps}, fewer than display_step, {recipe.display_step}: held-out "
            "images are read at each display step, so lower display_step"
        )


def _read_dimension(field: str, word: str, recipe: Recipe) -> Dimension:
    shown = f"{field}={word[:100]}"
    if field not in OVERRIDABLE:
        raise SpaceError(f"a recipe has no field {field[:100]!r}; {suggest_field(field)}", field)
    if field in FIXED:
        raise SpaceError(f"{field} cannot be searched: {FIXED[field]}; set it for all", field)
    if word.startswith("{") and word.endswith("}"):
        return _read_choices(field, word, recipe)
    if get_origin(Recipe.model_fields[field].annotation) is Literal:
        raise SpaceError(f"{shown}: its values are words, so name them: {field}={{A,B}}", field)
    kind, colon, bounds = word.rpartition(":")
    low, dots, high = bounds.partition("..")
    low_value, high_value = to_number(low.strip()), to_number(high.strip())
    if kind not in ("", "log", "int") or (colon and not kind) or not dots:
        raise SpaceError(f"{shown}: {FORMS}", field)
    if isinstance(low_value, str) or isinstance(high_value, str):
        raise SpaceError(f"{shown}: {FORMS}, with numbers as FROM and TO", field)
    is_integer = kind == "int" or Recipe.model_fields[field].annotation is int
    return _bounded(Dimension(field, low_value, high_value, is_integer, is_log=kind == "log"), shown, recipe)


def _bounded(dimension: Dimension, shown: str, recipe: Recipe) -> Dimension:
    field, low, high = dimension.field, dimension.low, dimension.high
    if not (isfinite(low) and isfinite(high) and low < high):
        raise SpaceError(f"{shown}: FROM must be smaller than TO", field)
    if dimension.is_log and low <= 0:
        raise SpaceError(f"{shown}: FROM is {low:g}, and a logarithm needs one above 0", field)
    if dimension.is_integer and (low != int(low) or high != int(high)):
        raise SpaceError(f"{shown}: {field} is a whole number here, so FROM and TO must be", field)
    for value in dimension.ends():
        _check(recipe, {field: value}, field, shown)
    return dimension


def _read_choices(field: str, word: str, recipe: Recipe) -> Dimension:
    words = [part.strip() for part in word[1:-1].split(",")]
    if not 2 <= len(words) <= MAX_CHOICES:
        raise SpaceError(f"{field}={word[:100]}: 2 to {MAX_CHOICES} values are expected, not {len(words)}", field)
    choices = tuple(
        getattr(_check(recipe, {field: to_number(part)}, field, f"{field}={part[:100]}"), field) for part in words
    )
    if len(set(choices)) < len(choices):
        raise SpaceError(f"{field}={word[:100]}: a value is named twice", field)
    return Dimension(field, choices=choices)


def _check(recipe: Recipe, values: dict[str, Any], field: str | None, shown: str) -> Recipe:
    try:
        return recipe.with_overrides(values)
    except ValidationError as error:
        messages = "; ".join(item["msg"].removeprefix("Value error, ") for item in error.errors())
        raise SpaceError(f"{shown}: {messages}", field) from error


def _order(value: Value) -> tuple[float, str]:
    return (0.0, value) if isinstance(value, str) else (float(value), "")
