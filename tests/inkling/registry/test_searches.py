"""Searches in the registry: their start, their trials, their end, and what a copy and a check make of them."""

import sqlite3
from pathlib import Path

import pytest

from inkling.errors import (
    LeaseLostError,
    QueueFullError,
    SearchFinishedError,
    SearchNameError,
    UnknownSearchError,
    VersionQuotaError,
)
from inkling.network.checkpoint import Checkpoint
from inkling.registry.quota import VersionQuota
from inkling.registry.registry import Registry
from inkling.registry.search_records import ranked
from inkling.settings import StoreSettings
from tests.support.runs import execute, queue
from tests.support.searches import BASE, bowl, claim, end_trial, plan, progress, start

RECIPES = [BASE.with_overrides({"learning_rate": rate}) for rate in (0.01, 0.02, 0.04)]


def test_name_starts_one_search(registry: Registry) -> None:
    first, is_new = registry.searches.start(plan(), "rates", max_running=1)
    assert (is_new, registry.searches.start(plan(), "rates", max_running=1)) == (True, (first, False))
    with pytest.raises(SearchNameError, match="search 1 has the name 'rates' and another recipe and seed"):
        registry.searches.start(plan(seed=7, batch_size=16), "rates", max_running=1)
    with pytest.raises(QueueFullError, match="1 searches are running already, the limit is 1"):
        registry.searches.start(plan(), None, max_running=1)
    assert registry.searches.running_like(plan()) == first
    assert registry.searches.running_like(plan(seed=7)) is None
    assert registry.searches.newest(5) == [first]


def test_versions_of_all_trials_must_have_room(registry: Registry) -> None:
    with pytest.raises(VersionQuotaError, match="0 versions and up to 8 would be added, the limit is 7"):
        registry.searches.start(plan(trials=8), None, 1, VersionQuota(7, 1 << 30))
    assert registry.searches.newest(1) == []


def test_search_waits_for_a_trainer_while_no_trial_is_unfinished(registry: Registry, checkpoint: Checkpoint) -> None:
    registry.versions.add_first(checkpoint)
    search = start(registry, plan(trials=3, generation=3))
    assert registry.searches.waiting() == search
    assert registry.runs.workload().claimable(8) == 1
    assert registry.searches.queue_trials(search, 0, RECIPES, {40: 0.5})
    assert not registry.searches.queue_trials(search, 0, RECIPES, {}), "another trainer was faster"
    assert registry.searches.waiting() is None
    assert registry.runs.workload().claimable(8) == 3
    leases = [claim(registry) for _ in RECIPES]
    assert [(lease.run.search, lease.run.trial, lease.run.promote) for lease in leases] == [
        (1, number, "never") for number in (1, 2, 3)
    ]
    end_trial(registry, leases[1], checkpoint, 0.25)
    assert registry.searches.start_trial(leases[0], 200) == {40: 0.5}
    registry.runs.record_progress(leases[0], progress(20, 0.75))
    registry.searches.prune_trial(leases[0], 40, "pruned at step 40")
    with pytest.raises(LeaseLostError):
        registry.searches.prune_trial(leases[0], 40, "pruned at step 40")
    registry.runs.fail(leases[2], "diverged", "the loss is inf")
    assert registry.searches.waiting() == search
    registry.searches.end(search, "succeeded")
    best_first = ranked(registry.searches.trials(search))
    assert [(trial.number, trial.state, trial.validation_loss) for trial in best_first] == [
        (2, "succeeded", 0.25),
        (1, "pruned", 0.75),
        (3, "failed", None),
    ]
    assert best_first[0].values == {"learning_rate": 0.02}
    assert best_first[0].interval_95 == pytest.approx((0.8506, 0.9344), abs=1e-4)
    assert registry.verify() == []
    assert registry.runs.workload().claimable(8) == 0


def test_cancelled_search_ends_its_runs_and_no_others(registry: Registry, checkpoint: Checkpoint) -> None:
    registry.versions.add_first(checkpoint)
    search = start(registry)
    registry.searches.queue_trials(search, 0, RECIPES, {})
    end_trial(registry, claim(registry), checkpoint, bowl(0.01))
    lease, other = claim(registry), queue(registry)
    assert registry.searches.cancel(search.id).state == "cancelled"
    assert [trial.state for trial in registry.searches.trials(search)] == ["succeeded", "cancelled", "cancelled"]
    assert registry.runs.get(other.id).state == "queued"
    with pytest.raises(LeaseLostError):
        registry.runs.renew_lease(lease, 30)
    with pytest.raises(SearchFinishedError, match="search 1 is cancelled"):
        registry.searches.cancel(search.id)
    assert not registry.searches.queue_trials(search, 3, RECIPES, {})
    with pytest.raises(UnknownSearchError, match="there is no search 9"):
        registry.searches.cancel(9)
    assert registry.verify() == []


def test_searches_are_backed_up_and_restored(store: StoreSettings, registry: Registry, tmp_path: Path) -> None:
    search = start(registry, name="rates")
    registry.searches.queue_trials(search, 0, RECIPES, {40: 0.5})
    trials = registry.searches.trials(search)
    assert registry.back_up(tmp_path / "backup.db") == []
    registry.searches.cancel(search.id)
    registry.restore(tmp_path / "backup.db", tmp_path)
    assert (registry.searches.get(search.id), registry.searches.trials(search)) == (search, trials)
    assert registry.searches.start_trial(claim(registry), 1) == {40: 0.5}


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ("UPDATE searches SET state = 'succeeded'", "search 1 (succeeded) has no end time"),
        ("UPDATE runs SET trial = 9 WHERE trial = 2", "search 1 (running) has 3 trials, numbered up to 9, of 8"),
        ("UPDATE searches SET state = 'failed', finished_at = '2026-01-01'", "has 3 trials that have not ended"),
        ("DELETE FROM trials WHERE run_id = 2", "run 2 is a trial without its limits"),
        ("UPDATE searches SET id = 5", "run 1 is a trial of a search that does not exist"),
    ],
)
@pytest.mark.parametrize("backend", ["sqlite"])
def test_verification_finds_what_contradicts(
    store: StoreSettings, registry: Registry, damage: str, problem: str
) -> None:
    registry.searches.queue_trials(start(registry), 0, RECIPES, {})
    execute(store, damage)
    assert any(problem in found for found in registry.verify())
    with pytest.raises(sqlite3.IntegrityError):
        execute(store, "UPDATE runs SET search = 1, trial = 1")
