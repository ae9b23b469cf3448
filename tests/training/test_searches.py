"""A search by a real trainer: its trials are trained, pruned and ranked, and none is promoted."""

import pytest

from inkling.registry.registry import Registry
from inkling.registry.search_records import ranked
from inkling.settings import StoreSettings
from tests.support.runs import OWNER
from tests.support.searches import bowl, outcomes, plan, start
from training.process import StopSignal
from training.worker import Worker

pytestmark = pytest.mark.train


def test_trainer_ends_a_search_with_a_ranking_and_serves_none_of_its_versions(
    store: StoreSettings, registry: Registry
) -> None:
    # given: a bad recipe, and two searches with the same seed
    searches = [start(registry, plan(trials=9, generation=3, seed=1, learning_rate=0.00001)) for _ in range(2)]
    worker = Worker(registry, store, StopSignal())
    # when
    while worker.train_next(OWNER):
        pass
    # then
    rankings = [ranked(registry.searches.trials(search)) for search in searches]
    assert [registry.searches.get(search.id).state for search in searches] == ["succeeded"] * 2
    assert outcomes(rankings[0]) == outcomes(rankings[1])
    best, pruned = rankings[0][0], [trial for trial in rankings[0] if trial.state == "pruned"]
    assert best.scored_at == best.total_steps
    assert best.validation_images == 200
    assert best.interval_95
    assert best.version
    assert pruned
    run = registry.runs.get(pruned[-1].run_id)
    assert run.state == "cancelled"
    assert run.decision
    assert run.decision.startswith(f"pruned at step {run.step}: held-out cross-entropy")
    assert run.version is None
    served = registry.versions.served()
    assert served
    assert served.version == 1, "the network that ships"
    assert registry.verify() == []
    assert bowl(best.values["learning_rate"]) < bowl(0.00001)  # type: ignore[arg-type]
