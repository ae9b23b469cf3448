"""The space of a search: the words for it, and what is wrong with others."""

import pytest

from inkling.errors import SpaceError
from inkling.network.recipe import ACCURATE, TUTORIAL
from inkling.search_space import MAX_FIELDS, Dimension, Space


def test_words_describe_ranges_whole_numbers_logarithms_and_choices() -> None:
    words = {
        "rotation": "0..20",
        "learning_rate": " log:1e-3 .. 0.01 ",
        "batch_size": "log:32..512",
        "scale": "{0, 0.25}",
        "optimizer": "{adam,muon}",
        "elastic": "int:0..2",
    }
    assert Space.read(words, ACCURATE).dimensions == (
        Dimension("batch_size", 32, 512, is_integer=True, is_log=True),
        Dimension("elastic", 0, 2, is_integer=True),
        Dimension("learning_rate", 0.001, 0.01, is_log=True),
        Dimension("optimizer", choices=("adam", "muon")),
        Dimension("rotation", 0, 20),
        Dimension("scale", choices=(0.0, 0.25)),
    )


@pytest.mark.parametrize(
    ("words", "field", "expected"),
    [
        ({"learnin_rate": "0.1..1"}, "learnin_rate", "did you mean learning_rate?"),
        ({"name": "{a,b}"}, "name", "its fields are optimizer, learning_rate"),
        ({"validation_size": "1..2"}, "validation_size", "the same held-out images"),
        ({"display_step": "1..2"}, "display_step", "the same steps"),
        ({"base": "{1,2}"}, "base", "the same version"),
        ({"learning_rate": "0.1"}, "learning_rate", "learning_rate=0.1: expected FROM..TO, log:FROM..TO"),
        ({"learning_rate": "ln:0.1..1"}, "learning_rate", "expected FROM..TO"),
        ({"learning_rate": ":0.1..1"}, "learning_rate", "expected FROM..TO"),
        ({"learning_rate": "low..high"}, "learning_rate", "with numbers as FROM and TO"),
        ({"learning_rate": "1..0.1"}, "learning_rate", "FROM must be smaller than TO"),
        ({"learning_rate": "nan..1"}, "learning_rate", "FROM must be smaller than TO"),
        ({"learning_rate": "0.1..1e999"}, "learning_rate", "FROM must be smaller than TO"),
        ({"rotation": "log:0..1"}, "rotation", "needs one above 0"),
        ({"learning_rate": "0.1..2"}, "learning_rate", "less than or equal to 1"),
        ({"batch_size": "1.5..3"}, "batch_size", "whole number"),
        ({"rotation": "int:0.5..3"}, "rotation", "whole number"),
        ({"optimizer": "0..1"}, "optimizer", "optimizer={A,B}"),
        ({"optimizer": "{adam}"}, "optimizer", "2 to 50 values are expected, not 1"),
        ({"optimizer": "{adam,sgdd}"}, "optimizer", "'sgd', 'adam' or 'muon'"),
        ({"seed": "{1,1.0}"}, "seed", "a value is named twice"),
        ({"warmup_steps": "0..4000"}, "warmup_steps", "the limit is training_steps"),
        ({"training_steps": "100..3000", "warmup_steps": "0..200"}, None, "together with warmup_steps=200"),
        ({"training_steps": "50..3000"}, None, "training_steps is 50, fewer than display_step, 100"),
        ({}, None, f"1 to {MAX_FIELDS} fields, not 0"),
        (dict.fromkeys("abcdefghi", "1..2"), None, f"1 to {MAX_FIELDS} fields, not 9"),
    ],
    ids=str,
)
def test_wrong_words_say_what_is_allowed(words: dict[str, str], field: str | None, expected: str) -> None:
    with pytest.raises(SpaceError) as raised:
        Space.read(words, TUTORIAL)
    assert expected in str(raised.value)
    assert raised.value.field == field


def test_trials_without_held_out_images_cannot_be_compared() -> None:
    with pytest.raises(SpaceError, match="validation_size is 0"):
        Space.read({"rotation": "0..1"}, TUTORIAL.with_overrides({"validation_size": 0}))


def test_chosen_values_have_four_digits_and_stay_within_the_bounds() -> None:
    dimension = Dimension("learning_rate", 0.0012344, 0.1)
    assert [dimension.nearest(value) for value in (0.0012344, 0.0456789)] == [0.0012344, 0.04568]
