import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from inkling.network.recipe import ACCURATE, MAX_PROGRESS_RECORDS, OVERRIDABLE, RECIPES, TUTORIAL, Recipe

BOUNDS: dict[str, tuple[int, int]] = {
    "batch_size": (1, 8192),
    "training_steps": (1, 1_000_000),
    "display_step": (1, 1000),
    "shuffle_buffer": (1, 60_000),
    "validation_size": (0, 30_000),
    "warmup_steps": (0, 100_000),
    "seed": (0, 2**31 - 1),
    "base": (0, 2**31 - 1),
}


def test_tutorial_recipe_has_the_published_values() -> None:
    assert TUTORIAL.model_dump() == {
        "name": "tutorial",
        "optimizer": "sgd",
        "learning_rate": 0.001,
        "warmup_steps": 0,
        "decay": "none",
        "weight_decay": 0,
        "batch_size": 256,
        "training_steps": 3000,
        "display_step": 100,
        "shuffle_buffer": 5000,
        "validation_size": 5000,
        "ema_decay": 0,
        "rotation": 0,
        "scale": 0,
        "shear": 0,
        "shift": 0,
        "elastic": 0,
        "thickness": 0,
        "anneal_fraction": 0,
        "corrupted": 0,
        "synthetic": 0,
        "feedback": 0,
        "base": 0,
        "seed": 0,
    }


def test_recipe_from_before_the_accurate_one_is_the_tutorial() -> None:
    names = ("name", "learning_rate", "batch_size", "training_steps", "display_step", "shuffle_buffer")
    kept = {name: value for name, value in TUTORIAL.model_dump().items() if name in (*names, "validation_size", "seed")}
    assert Recipe.model_validate(kept) == TUTORIAL


def test_recipe_with_the_field_names_of_0_1_is_read() -> None:
    # given
    names = {"average_decay": "ema_decay", "fade": "anneal_fraction", "damaged": "corrupted", "drawn": "synthetic"}
    values = ACCURATE.model_dump()
    former = {**values, **{old: values[new] for old, new in names.items()}}
    for new in names.values():
        del former[new]
    # then
    assert Recipe.model_validate(former) == ACCURATE
    assert Recipe.model_validate_json(json.dumps(former)) == ACCURATE


def test_only_a_recipe_with_distortions_is_augmented() -> None:
    assert (TUTORIAL.is_augmented, ACCURATE.is_augmented) == (False, True)
    assert TUTORIAL.with_overrides({"corrupted": 0.1}).is_augmented


def test_every_preset_bears_its_own_name() -> None:
    assert {name: recipe.name for name, recipe in RECIPES.items()} == {name: name for name in RECIPES}


def test_every_field_but_the_name_can_be_overridden() -> None:
    assert {*OVERRIDABLE, "name"} == set(Recipe.model_fields)


def test_every_field_says_what_it_is() -> None:
    assert all(field.description for field in Recipe.model_fields.values())


@pytest.mark.parametrize("name", BOUNDS)
def test_bounds_themselves_are_allowed(name: str) -> None:
    other = {
        "training_steps": {"display_step": 1000},
        "display_step": {"training_steps": 1},
        "warmup_steps": {"training_steps": 100_000},
    }.get(name, {})
    for bound in BOUNDS[name]:
        assert getattr(TUTORIAL.with_overrides({**other, name: bound}), name) == bound


@pytest.mark.parametrize("name", BOUNDS)
def test_values_beyond_the_bounds_are_refused(name: str) -> None:
    low, high = BOUNDS[name]
    for value in (low - 1, high + 1):
        with pytest.raises(ValidationError, match=name):
            TUTORIAL.with_overrides({name: value})


@pytest.mark.parametrize("value", [0, -0.001, 1.001, math.nan, math.inf, "nan", "fast", None, ""])
def test_learning_rate_that_is_no_step_size_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError, match="learning_rate"):
        TUTORIAL.with_overrides({"learning_rate": value})


@pytest.mark.parametrize("value", ["1.5", 1.5, "many", None])
def test_fractions_of_a_step_are_refused(value: Any) -> None:
    with pytest.raises(ValidationError, match="training_steps"):
        TUTORIAL.with_overrides({"training_steps": value})


NUMERIC = [name for name in OVERRIDABLE if name not in ("optimizer", "decay")]


@pytest.mark.parametrize("name", NUMERIC)
@pytest.mark.parametrize(("value", "kind"), [(True, "a boolean"), (False, "a boolean"), ("1", "a string")])
def test_boolean_or_string_is_no_number(name: str, value: object, kind: str) -> None:
    with pytest.raises(ValidationError, match=rf"{name}\n.*should be a valid number, not {kind}"):
        TUTORIAL.with_overrides({name: value})


def test_integral_number_is_an_integer() -> None:
    recipe = TUTORIAL.with_overrides({"training_steps": 200.0, "learning_rate": 1})
    assert (recipe.training_steps, recipe.learning_rate) == (200, 1.0)
    assert isinstance(recipe.training_steps, int)


def test_warmup_longer_than_the_training_is_refused() -> None:
    assert TUTORIAL.with_overrides({"training_steps": 10, "warmup_steps": 10}).warmup_steps == 10
    with pytest.raises(ValidationError, match="warmup_steps is 11, the limit is training_steps, 10"):
        TUTORIAL.with_overrides({"training_steps": 10, "warmup_steps": 11})
    with pytest.raises(ValidationError, match="warmup_steps is 1000, the limit is training_steps, 100"):
        ACCURATE.with_overrides({"training_steps": 100})


def test_recorded_recipe_with_a_longer_warmup_is_read() -> None:
    values = {**TUTORIAL.model_dump(), "training_steps": 10, "warmup_steps": 11}
    assert Recipe.model_validate(values).warmup_steps == 11


def test_overrides_leave_the_other_fields_and_the_preset_alone() -> None:
    changed = TUTORIAL.with_overrides({"seed": 7})
    assert changed.model_dump() == {**TUTORIAL.model_dump(), "seed": 7}
    assert TUTORIAL.seed == 0


def test_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="momentum"):
        TUTORIAL.with_overrides({"momentum": 0.9})


def test_recipe_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        TUTORIAL.seed = 1  # type: ignore[misc]


def test_progress_records_are_bounded() -> None:
    most = {"training_steps": MAX_PROGRESS_RECORDS * 10, "display_step": 10}
    assert TUTORIAL.with_overrides(most).training_steps == MAX_PROGRESS_RECORDS * 10
    with pytest.raises(ValidationError, match="is 2001 progress records, the limit is 2000; raise display_step"):
        TUTORIAL.with_overrides({**most, "training_steps": MAX_PROGRESS_RECORDS * 10 + 10})


@given(
    st.builds(
        Recipe,
        learning_rate=st.floats(0, 1, exclude_min=True),
        batch_size=st.integers(1, 8192),
        training_steps=st.integers(1, 2000),
        validation_size=st.integers(0, 30_000),
        ema_decay=st.floats(0, 1, exclude_max=True),
        elastic=st.floats(0, 2),
        seed=st.integers(0, 2**31 - 1),
    )
)
def test_recipe_survives_json(recipe: Recipe) -> None:
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe
