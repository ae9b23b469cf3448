"""Runs whose trainers are killed at each point of their writes to the registry."""

import signal

import pytest

from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from tests.support.networks import make_checkpoint
from tests.support.postgres import BACKENDS
from tests.support.runs import Outcome, expire_leases, queue, without_times
from tests.support.trainers import Point, Trainers

pytestmark = [pytest.mark.train, pytest.mark.unmeasured]

CLAIM, PROGRESS = r"UPDATE runs SET .*attempt=\(runs\.attempt \+", "INSERT INTO run_progress"
DELETE_SNAPSHOT, SNAPSHOT = "DELETE FROM run_snapshots", "INSERT INTO run_snapshots"
WEIGHTS = "INSERT INTO run_weights"
VERSION, END, DECISION = "INSERT INTO versions", r"UPDATE runs SET .*[, ]version=", "INSERT INTO promotions"
POINTS = [
    Point("claim", CLAIM, "before statement"),
    Point("claim", CLAIM, "before commit"),
    Point("claim", CLAIM, "after commit"),
    Point("progress", PROGRESS, "before commit", count=2),
    Point("progress", PROGRESS, "after commit", count=2),
    Point("snapshot deleted", DELETE_SNAPSHOT, "after statement", count=2),
    Point("snapshot", SNAPSHOT, "before commit"),
    Point("snapshot", SNAPSHOT, "after commit", count=2),
    Point("weights", WEIGHTS, "before commit"),
    Point("weights", WEIGHTS, "after commit"),
    Point("publish version", VERSION, "before statement"),
    Point("publish version", VERSION, "after statement"),
    Point("publish run", END, "after statement"),
    Point("publish decision", DECISION, "before commit"),
    Point("publish decision", DECISION, "after commit"),
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("point", POINTS, ids=str)
def test_run_of_a_trainer_killed_at_any_point_ends_like_an_uninterrupted_one(
    registry: Registry, store: StoreSettings, trainers: Trainers, expected: Outcome, point: Point
) -> None:
    # given: a served version, and a run
    registry.versions.add_first(make_checkpoint())
    run = queue(registry)
    # when
    assert trainers.work(store, point) == -signal.SIGKILL, trainers.log
    # then
    assert registry.verify() == []
    # when: another trainer starts
    expire_leases(registry, store)
    assert registry.verify() == []
    assert trainers.work(store) == 0
    # then
    ended = registry.runs.get(run.id)
    assert ended.state == "succeeded", trainers.log
    published = [version for version in registry.versions.newest(10) if version.origin == "run"]
    assert [(version.run_id, version.version, version.digest) for version in published] == [
        (run.id, ended.version, expected.digest)
    ]
    assert without_times(registry.runs.progress(run.id)) == expected.lines
    assert [promotion.version for promotion in registry.versions.promotions(10)] == [ended.version, 1]
    assert registry.runs.snapshot(run.id) is None
    assert registry.runs.first_layer(run.id) is None
    assert registry.verify() == []
