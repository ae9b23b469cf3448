"""The retention of a registry, and what `prune` deletes."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from inkling.errors import UnknownVersionError
from inkling.network.checkpoint import Checkpoint
from inkling.network.first_layer import FirstLayer
from inkling.network.recipe import TUTORIAL
from inkling.registry import retention, space
from inkling.registry.records import Answered, Decision, Snapshot
from inkling.registry.registry import Registry
from inkling.registry.retention import PROGRESS_LINES, Retention
from inkling.registry.tables import run_progress
from inkling.settings import StoreSettings
from tests.support.databases import connect
from tests.support.networks import make_checkpoint, random_parameters

SHORT = TUTORIAL.with_overrides({"training_steps": 500, "display_step": 1})
NOTHING_BUT_VERSIONS = Retention(promoted_versions=2, newest_versions=2, progress_days=1, feedback_days=None)


@pytest.fixture
def versions(registry: Registry, checkpoint: Checkpoint) -> Iterator[Registry]:
    """A registry with versions 1 to 9, of which every second was promoted, and 2 is served."""
    registry.versions.add_first(checkpoint)
    for seed in range(1, 9):
        publish(registry, seed, is_promoted=seed % 2 == 0)
    registry.versions.promote(2, "for the test")
    yield registry
    assert registry.verify() == []


def publish(registry: Registry, seed: int, *, is_promoted: bool) -> None:
    run, _ = registry.runs.queue(SHORT, "never", max_queued=9)
    lease = registry.runs.claim(600, "tests", run.id, at_once=9)
    assert lease is not None
    decision = Decision(is_promoted=is_promoted, reason="for the test")
    registry.publish(lease, make_checkpoint(random_parameters(seed)), lambda served: decision)


def present(registry: Registry) -> list[int]:
    return [version.version for version in registry.versions.newest(100)]


def test_served_last_promoted_and_newest_versions_are_kept(versions: Registry) -> None:
    # given: promoted were 1, 3, 5, 7, 9 and 2; a run that has not ended starts from 4
    versions.runs.queue(TUTORIAL.with_overrides({"base": 4}), "never", max_queued=9)
    history = versions.versions.promotions(100)
    # when
    announced = list(versions.prune(NOTHING_BUT_VERSIONS, is_dry_run=True))
    assert present(versions) == list(range(9, 0, -1))
    deleted = list(versions.prune(NOTHING_BUT_VERSIONS))
    # then: 2 and 9 were promoted last, 9 and 8 are the newest
    assert present(versions) == [9, 8, 4, 2]
    assert deleted == announced
    assert [line.split(":")[0] for line in deleted] == [f"version {number}" for number in (1, 3, 5, 6, 7)]
    assert " bytes, of run 2, 20" in deleted[1]
    # then: the ledger stays, and says what happened
    assert versions.versions.promotions(100) == history
    assert versions.runs.get(2).version == 3
    with pytest.raises(UnknownVersionError, match=r"version 3 was pruned at 20\d\d-"):
        versions.versions.get(3)
    with pytest.raises(UnknownVersionError, match="version 3 was pruned"):
        versions.versions.promote(3, "for the test")
    assert list(versions.prune(NOTHING_BUT_VERSIONS)) == []


def test_served_version_is_kept_if_nothing_else_is(versions: Registry) -> None:
    list(versions.prune(Retention(promoted_versions=0, newest_versions=1, progress_days=1, feedback_days=None)))
    assert present(versions) == [9, 2]


def test_space_of_pruned_versions_is_given_back(versions: Registry) -> None:
    versions.shrink()
    before = versions.size_bytes()
    freed = sum(version.size_bytes for version in versions.versions.newest(100)[1:7])
    list(versions.prune(NOTHING_BUT_VERSIONS))
    versions.shrink()
    assert versions.size_bytes() < before - freed / 2


def test_space_is_given_back_before_all_versions_are_pruned(
    versions: Registry, store: StoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = store.data_dir / "inkling.db"
    if not file.exists():
        pytest.skip("PostgreSQL uses the space for new rows meanwhile")
    monkeypatch.setattr(space, "MANY_PAGES", 100)  # of 4 KB: fewer than those of a version
    monkeypatch.setattr(retention, "VERSIONS_AT_ONCE", 1)
    versions.shrink()
    sizes = [file.stat().st_size for _ in versions.prune(NOTHING_BUT_VERSIONS)]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == len(sizes) > 2


def test_progress_of_old_runs_is_thinned(registry: Registry, store: StoreSettings, checkpoint: Checkpoint) -> None:
    # given: runs of 500 and of 201 lines, of which the first ended eight days ago
    registry.versions.add_first(checkpoint)
    publish(registry, 1, is_promoted=False)
    publish(registry, 2, is_promoted=False)
    lines = [(1, step) for step in range(1, 501)] + [(2, step) for step in range(1, 202)]
    with connect(store.registry_url) as connection:
        score = {"loss": 1.0, "accuracy": 0.5, "elapsed_s": 1.0}
        connection.execute(run_progress.insert(), [{"run_id": run, "step": step, **score} for run, step in lines])
        ended = (datetime.now(UTC) - timedelta(days=8)).replace(tzinfo=None)
        connection.execute(text("UPDATE runs SET finished_at = :ended WHERE id = 1"), {"ended": str(ended)})
    retention = Retention(promoted_versions=9, newest_versions=9, progress_days=7, feedback_days=None)
    # when
    announced = list(registry.prune(retention, is_dry_run=True))
    assert len(registry.runs.progress(1)) == 500
    deleted = list(registry.prune(retention))
    # then
    assert announced == deleted == ["run 1: 300 of 500 lines of progress"]
    steps = [line.step for line in registry.runs.progress(1)]
    assert (len(steps), steps[0], steps[-1]) == (PROGRESS_LINES, 1, 500)
    assert {after - before for before, after in itertools.pairwise(steps)} == {2, 3}
    assert len(registry.runs.progress(2)) == 201
    assert list(registry.prune(retention)) == []
    assert registry.verify() == []


def test_snapshots_and_weights_of_ended_runs_and_old_corrections_are_deleted(
    registry: Registry, store: StoreSettings, checkpoint: Checkpoint
) -> None:
    # given: a snapshot and weights that a run has left, those that a run needs, and two corrections, one of last year
    registry.versions.add_first(checkpoint)
    publish(registry, 1, is_promoted=False)
    run, _ = registry.runs.queue(SHORT, "never", max_queued=9)
    lease = registry.runs.claim(600, "tests")
    assert lease is not None
    registry.runs.save_snapshot(lease, Snapshot(1, b"state"))
    registry.runs.show_first_layer(lease, FirstLayer(1, 0.5, b"weights"))
    answer = Answered(bytes(784), 1, 7, 0.9, None)
    old, new = registry.corrections.add([answer, answer], [1, 2])
    with connect(store.registry_url) as connection:
        snapshot = "INSERT INTO run_snapshots (run_id, step, state) SELECT 1, step, state FROM run_snapshots"
        connection.execute(text(snapshot))
        weights = "INSERT INTO run_weights (run_id, step, largest, content) SELECT 1, step, largest, content"
        connection.execute(text(f"{weights} FROM run_weights"))
        year_ago = str((datetime.now(UTC) - timedelta(days=366)).replace(tzinfo=None))
        values = {"year_ago": year_ago, "id": old.id}
        connection.execute(text("UPDATE corrections SET created_at = :year_ago WHERE id = :id"), values)
    retention = Retention(promoted_versions=9, newest_versions=9, progress_days=7, feedback_days=365)
    expected = [
        "run 1: the snapshot of a run that has ended",
        "run 1: the shown weights of a run that has ended",
        "1 corrections older than 365 days",
    ]
    # when
    assert list(registry.prune(retention, is_dry_run=True)) == expected
    assert len(registry.corrections.all()) == 2
    assert list(registry.prune(retention)) == expected
    # then
    assert registry.corrections.all() == [new]
    assert registry.runs.snapshot(run.id) == Snapshot(1, b"state")
    assert registry.runs.first_layer(run.id) == FirstLayer(1, 0.5, b"weights")
    assert registry.verify() == []
