"""Trainers killed at named points of what they write, and how their runs end."""

import signal

import pytest

from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from tests.support.networks import make_checkpoint
from tests.support.postgres import BACKENDS
from tests.support.runs import Undisturbed, queue, take_for_dead, told
from tests.support.trainers import Point, Trainers

pytestmark = pytest.mark.train

CLAIM, PROGRESS = r"UPDATE runs SET .*attempt=\(runs\.attempt \+", "INSERT INTO run_progress"
FORGET, SNAPSHOT = "DELETE FROM run_snapshots", "INSERT INTO run_snapshots"
VERSION, END, DECISION = "INSERT INTO versions", r"UPDATE runs SET .*[, ]version=", "INSERT INTO promotions"
POINTS = [
    Point("claim", CLAIM, "before statement"),
    Point("claim", CLAIM, "before commit"),
    Point("claim", CLAIM, "after commit"),
    Point("progress", PROGRESS, "before commit", count=2),
    Point("progress", PROGRESS, "after commit", count=2),
    Point("snapshot forgotten", FORGET, "after statement", count=2),
    Point("snapshot", SNAPSHOT, "before commit"),
    Point("snapshot", SNAPSHOT, "after commit", count=2),
    Point("publish version", VERSION, "before statement"),
    Point("publish version", VERSION, "after statement"),
    Point("publish run", END, "after statement"),
    Point("publish decision", DECISION, "before commit"),
    Point("publish decision", DECISION, "after commit"),
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("point", POINTS, ids=str)
def test_run_of_a_trainer_killed_at_any_point_ends_as_if_it_had_not_been(
    registry: Registry, store: StoreSettings, trainers: Trainers, undisturbed: Undisturbed, point: Point
) -> None:
    # given: a served version, and a run
    registry.versions.add_first(make_checkpoint())
    run = queue(registry)
    # when
    assert trainers.work(store, point) == -signal.SIGKILL, trainers.log
    # then
    assert registry.verify() == []
    # when: another trainer comes
    take_for_dead(registry, store)
    assert registry.verify() == []
    assert trainers.work(store) == 0
    # then
    ended = registry.runs.get(run.id)
    assert ended.state == "succeeded", trainers.log
    made = [version for version in registry.versions.newest(10) if version.origin == "run"]
    assert [(version.run_id, version.version, version.digest) for version in made] == [
        (run.id, ended.version, undisturbed.digest)
    ]
    assert told(registry.runs.progress(run.id)) == undisturbed.lines
    assert [promotion.version for promotion in registry.versions.promotions(10)] == [ended.version, 1]
    assert registry.runs.snapshot(run.id) is None
    assert registry.verify() == []
