"""The choice of trials: reproducible, better than chance, and safe to repeat."""

import builtins
from typing import Any

import pytest

from inkling.network.checkpoint import Checkpoint
from inkling.registry.registry import Registry
from inkling.registry.search_records import Search, ranked
from inkling.settings import StoreSettings
from tests.support.searches import BASE, bowl, claim, end_trial, outcomes, plan, start
from training.next_trials import choose_recipes, queue_next_trials


def finish(registry: Registry, search: Search, checkpoint: Checkpoint, *, newest_first: bool = False) -> None:
    """Train the trials of a search in no time, those of each generation in their order or in the opposite one."""
    while queue_next_trials(registry):
        leases = [claim(registry) for trial in registry.searches.trials(search) if trial.state == "queued"]
        for lease in leases[::-1] if newest_first else leases:
            end_trial(registry, lease, checkpoint, bowl(lease.run.recipe.learning_rate))


def test_ranking_does_not_depend_on_which_trial_of_a_generation_ends_first(
    registry: Registry, checkpoint: Checkpoint
) -> None:
    searches = []
    for seed, newest_first in ((3, False), (3, True), (4, False)):
        search = start(registry, plan(trials=26, seed=seed))
        finish(registry, search, checkpoint, newest_first=newest_first)
        searches.append(search)
    one, other, of_another_seed = (outcomes(ranked(registry.searches.trials(search))) for search in searches)
    assert one == other
    assert one != of_another_seed
    assert registry.searches.get(1).state == "succeeded"
    # the later ones are chosen from the scores of the earlier ones
    losses = [trial.validation_loss or 0.0 for trial in registry.searches.trials(searches[0])]
    assert sorted(losses[-8:])[4] < sorted(losses[:8])[4]


def test_trials_get_the_medians_of_those_that_ran_to_their_end(registry: Registry, checkpoint: Checkpoint) -> None:
    search = start(registry, plan(trials=12, generation=6))
    queue_next_trials(registry)
    losses = []
    for _ in range(6):
        lease = claim(registry)
        assert registry.searches.start_trial(lease, 200) == {}
        losses.append(bowl(lease.run.recipe.learning_rate))
        end_trial(registry, lease, checkpoint, losses[-1])
    queue_next_trials(registry)
    middle = sum(sorted(losses)[2:4]) / 2
    assert registry.searches.start_trial(claim(registry), 200) == pytest.approx({20: middle + 0.4, 40: middle + 0.2})
    assert registry.searches.get(search.id).state == "running"


def test_diverged_trials_teach_and_others_that_fail_end_the_search(registry: Registry) -> None:
    diverging, failing = start(registry), start(registry)
    for error_type, search in (("diverged", diverging), ("dataset", failing)):
        queue_next_trials(registry)
        for trial in registry.searches.trials(search):
            lease = registry.runs.claim(30, "a test", trial.run_id, at_once=100)
            assert lease
            registry.runs.fail(lease, error_type, "the file is missing")  # type: ignore[arg-type]
        queue_next_trials(registry)
    assert len(registry.searches.trials(diverging)) == 8
    failed = registry.searches.get(failing.id)
    assert failed.state == "failed"
    assert failed.error == "all of its last 4 trials failed; trial 4: the file is missing"


@pytest.fixture
def without_optuna(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def refuse(name: str, *arguments: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "optuna":
            raise ModuleNotFoundError("No module named 'optuna'", name="optuna")
        return original(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)


@pytest.mark.usefixtures("without_optuna")
def test_search_fails_with_advice_without_optuna(registry: Registry) -> None:
    search = start(registry)
    assert queue_next_trials(registry)
    assert not queue_next_trials(registry)
    assert "pip install '.[search]'" in (registry.searches.get(search.id).error or "")


def test_every_kind_of_dimension_is_chosen_within_its_bounds(store: StoreSettings, registry: Registry) -> None:
    space = {
        "optimizer": "{sgd,adam}",
        "batch_size": "log:16..64",
        "rotation": "0..20",
        "elastic": "int:0..2",
        "weight_decay": "{0,0.01}",
    }
    search = start(registry, plan(trials=3, generation=16))
    search = Search(**{**vars(search), "plan": type(search.plan)(**{**vars(search.plan), "space": space})})
    recipes = choose_recipes(search, [])
    assert len(recipes) == 3
    for recipe in recipes:
        assert recipe.optimizer in ("sgd", "adam")
        assert 16 <= recipe.batch_size <= 64
        assert 0 <= recipe.rotation <= 20
        assert recipe.elastic in (0, 1, 2)
        assert recipe.weight_decay in (0, 0.01)
        assert recipe.model_copy(update={field: getattr(BASE, field) for field in space}) == BASE
