"""`inkling search` and `searches`: what is refused and what is listed. `benchmarks/searches.py` runs whole searches."""

import json

import pytest

from app.settings import Settings
from inkling.network.checkpoint import Checkpoint
from inkling.network.recipe import TUTORIAL
from inkling.registry.registry import Registry
from inkling.registry.search_records import SearchPlan
from tests.support.command_line import InklingHere, check_error
from tests.support.searches import BASE, claim, end_trial, start

SPACE = ("--space", "learning_rate=log:0.001..0.1")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--space", "learnin_rate=0..1"), "did you mean learning_rate?"),
        (("--space", "learning_rate"), "--space learning_rate: expected NAME=VALUES"),
        ((*SPACE, *SPACE), "learning_rate is named twice"),
        ((*SPACE, "--set", "foo=1"), "a recipe has no field 'foo'"),
        ((*SPACE, "--set", "validation_size=0"), "validation_size is 0"),
        ((*SPACE, "--trials", "0"), "'0' is not an integer from 1 to 1000"),
        ((*SPACE, "--name", "a b"), "1 to 64 letters, digits"),
    ],
    ids=str,
)
def test_wrong_arguments_start_no_search(
    inkling_here: InklingHere, settings: Settings, arguments: tuple[str, ...], words: str
) -> None:
    check_error(inkling_here("search", *arguments, "--data-dir", settings.data_dir), 2, words)
    assert not settings.data_dir.exists()


def test_searches_are_listed_with_their_trials_and_cancelled(
    inkling_here: InklingHere, settings: Settings, registry: Registry, checkpoint: Checkpoint
) -> None:
    search = start(registry, name="rates")
    recipes = [BASE.with_overrides({"learning_rate": rate}) for rate in (0.01, 0.02)]
    registry.searches.queue_trials(search, 0, recipes, {})
    claim(registry)
    end_trial(registry, claim(registry), checkpoint, 0.25)
    folder = ("--data-dir", settings.data_dir)
    assert inkling_here("searches", *folder).stdout.startswith("search 1  rates  running  8 trials of tutorial")
    lines = inkling_here("searches", 1, "--cancel", *folder).stdout.splitlines()
    assert lines[0].startswith("search 1  rates  cancelled")
    assert [line.split() for line in lines[1:]] == [
        ["trial", "learning_rate", "cross-entropy", "accuracy", "95", "%", "interval", "state", "version"],
        ["2", "0.02", "0.2500", "0.9000", "0.8506", "to", "0.9343", "succeeded", "1"],
        ["1", "0.01", "cancelled"],
    ]
    first, _ = inkling_here("searches", 1, "--json", *folder).stdout.splitlines()
    assert json.loads(first)["values"] == {"learning_rate": 0.02}
    assert json.loads(inkling_here("searches", "--json", *folder).stdout)["name"] == "rates"
    check_error(inkling_here("searches", 7, *folder), 1, "there is no search 7; `inkling searches` lists them")
    check_error(inkling_here("searches", "--cancel", *folder), 2, "--cancel needs the number of a search")


def test_ended_search_of_the_same_name_is_shown_again(
    inkling_here: InklingHere, settings: Settings, registry: Registry, checkpoint: Checkpoint
) -> None:
    folder = ("--data-dir", settings.data_dir)
    arguments = (*SPACE, "--trials", 1, "--name", "rates", *folder)
    search = start(registry, SearchPlan(TUTORIAL, {"learning_rate": "log:0.001..0.1"}, 1, 4, 0, None), "rates")
    registry.searches.queue_trials(search, 0, [TUTORIAL], {})
    end_trial(registry, claim(registry), checkpoint, 0.25)
    registry.searches.end(search, "succeeded")
    result = inkling_here("search", *arguments)
    assert result.returncode == 0
    assert "`inkling promote 1` serves the version of trial 1" in result.stdout
    check_error(inkling_here("search", *arguments, "--seed", 2), 1, "another seed: take another name")
