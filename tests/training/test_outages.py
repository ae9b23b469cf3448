"""Runs whose trainer, database or disk is lost for a while, or for good."""

import os
import signal
import threading
from pathlib import Path

import pytest
import safetensors.numpy

from inkling.registry.records import Snapshot
from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from tests.support.networks import random_parameters
from tests.support.postgres import BACKENDS, Postgres
from tests.support.processes import DEADLINE_S, start_training, wait_until
from tests.support.runs import SHORT, Undisturbed, queue, take_for_dead, told
from tests.support.trainers import Point, Trainers
from training.snapshot import TrainingState

pytestmark = pytest.mark.train

LONGER = SHORT.with_overrides({"training_steps": 6000, "display_step": 20})
"""Long enough for what happens to it: three hundred lines of progress, and as many snapshots."""


def arguments(store: StoreSettings) -> list[str]:
    return ["worker", "--data-dir", str(store.data_dir), "--mnist-dir", str(store.mnist_dir)]


# the trainer


def test_run_killed_in_the_middle_ends_with_the_same_file(
    registry: Registry, store: StoreSettings, trainers: Trainers
) -> None:
    # given: the run as it ends undisturbed
    undisturbed = queue(registry, LONGER)
    assert trainers.work(store) == 0, trainers.log
    # when: a trainer of the same recipe is killed after its first snapshot, wherever it is then
    run = queue(registry, LONGER)
    codes: list[int] = []
    trainer = threading.Thread(target=lambda: codes.append(trainers.work(store)))
    trainer.start()
    wait_until(lambda: registry.runs.snapshot(run.id), "the run has a snapshot")
    os.kill(trainers.pid, signal.SIGKILL)
    trainer.join(DEADLINE_S)
    assert codes == [-signal.SIGKILL]
    # then
    snapshot = registry.runs.snapshot(run.id)
    assert snapshot is not None
    assert 0 < snapshot.step < LONGER.training_steps
    assert registry.verify() == []
    # when
    take_for_dead(registry, store)
    assert trainers.work(store) == 0
    # then
    assert f"run {run.id}: going on from step {snapshot.step}" in trainers.log
    assert registry.runs.get(run.id).attempt == 2
    assert registry.versions.get(2).digest == registry.versions.get(1).digest
    assert told(registry.runs.progress(run.id)) == told(registry.runs.progress(undisturbed.id))
    times = [line.elapsed_s for line in registry.runs.progress(run.id)]
    assert times == sorted(times)
    assert registry.verify() == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_run_that_two_trainers_died_of_is_given_up(
    registry: Registry, store: StoreSettings, trainers: Trainers
) -> None:
    # given
    run, next_run = queue(registry), queue(registry)
    at_second_snapshot = Point("snapshot", "INSERT INTO run_snapshots", "after commit", count=2)
    at_next_snapshot = Point("snapshot", "INSERT INTO run_snapshots", "after commit")
    # when
    for point in (at_second_snapshot, at_next_snapshot):
        assert trainers.work(store, point) == -signal.SIGKILL
        take_for_dead(registry, store)
    assert trainers.work(store) == 0
    # then
    failed = registry.runs.get(run.id)
    assert (failed.state, failed.error_type, failed.attempt) == ("failed", "trainer_died", 2)
    assert [line.step for line in registry.runs.progress(run.id)] == [20, 40, 60]
    assert registry.runs.snapshot(run.id) is None
    assert registry.runs.get(next_run.id).state == "succeeded"
    assert registry.verify() == []


def damaged(kind: str) -> Snapshot:
    parameters = random_parameters()
    whole = TrainingState(40, 1.0, parameters).to_snapshot().state
    if kind == "truncated":
        return Snapshot(40, whole[:-1])
    if kind == "not finite":
        parameters["weights/out"][0, 0] = float("nan")
        return TrainingState(40, 1.0, parameters).to_snapshot()
    return Snapshot(40, safetensors.numpy.save({"elapsed_s": random_parameters()["biases/out"]}))


@pytest.mark.parametrize("kind", ["truncated", "not finite", "of something else"])
def test_run_whose_snapshot_cannot_be_read_begins_anew(
    registry: Registry, store: StoreSettings, trainers: Trainers, undisturbed: Undisturbed, kind: str
) -> None:
    # given: a run with a snapshot that is damaged, given back
    run = queue(registry)
    claim = registry.runs.claim(600, "tests")
    assert claim is not None
    registry.runs.save_snapshot(claim, damaged(kind))
    registry.runs.release(claim)
    assert registry.runs.get(run.id).step == 40
    # when
    assert trainers.work(store) == 0
    # then
    assert f"run {run.id}: its snapshot cannot be used, training anew: " in trainers.log
    assert registry.versions.get(1).digest == undisturbed.digest
    assert told(registry.runs.progress(run.id)) == undisturbed.lines
    assert registry.verify() == []


def test_run_with_a_learning_rate_that_is_too_high_fails_and_publishes_nothing(
    registry: Registry, store: StoreSettings, trainers: Trainers
) -> None:
    run = queue(registry, SHORT.with_overrides({"learning_rate": 1.0}))
    assert trainers.work(store) == 0
    failed = registry.runs.get(run.id)
    assert (failed.state, failed.error_type) == ("failed", "diverged")
    assert "is the most that training can recover from: the learning rate 1 is too high" in (failed.error or "")
    assert (registry.versions.newest(10), registry.runs.snapshot(run.id)) == ([], None)
    assert registry.verify() == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_trainers_train_every_run_once(
    registry: Registry, store: StoreSettings, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    # given
    runs = [queue(registry) for _ in range(6)]
    environment = {"INKLING_DATABASE_URL": store.registry_url}

    def have_ended() -> bool:
        return all(run.state not in ("queued", "running") for run in registry.runs.newest(10))

    # when
    with (
        start_training(tmp_path, *arguments(store), **environment) as one,
        start_training(tmp_path, *arguments(store), **environment) as other,
    ):
        wait_until(have_ended, "every run has ended")
        for trainer in (one, other):
            trainer.process.send_signal(signal.SIGTERM)
            assert trainer.end() == 0, trainer.log
    # then
    ended = [registry.runs.get(run.id) for run in runs]
    assert [(run.state, run.attempt) for run in ended] == [("succeeded", 1)] * 6
    assert sorted(run.version or 0 for run in ended) == [1, 2, 3, 4, 5, 6]
    assert {version.digest for version in registry.versions.newest(10)} == {undisturbed.digest}
    assert all(told(registry.runs.progress(run.id)) == undisturbed.lines for run in runs)
    assert registry.verify() == []


# the disk


def test_run_on_a_full_disk_fails_and_says_so(
    registry: Registry, store: StoreSettings, trainers: Trainers, undisturbed: Undisturbed
) -> None:
    # given: a disk that takes lines of progress, but not half a megabyte more
    run, next_run = queue(registry), queue(registry)
    registry.close()
    # when: every file of the trainer may grow to so much
    assert trainers.work(store, max_file_bytes=400_000) == 0
    # then
    for failed in (registry.runs.get(run.id), registry.runs.get(next_run.id)):
        assert (failed.state, failed.error_type) == ("failed", "disk_full"), trainers.log
        assert "takes no more" in (failed.error or "")
    assert (registry.verify(), registry.versions.newest(10)) == ([], [])
    # when: there is room again
    again = queue(registry)
    assert trainers.work(store) == 0
    # then
    assert registry.versions.get(registry.runs.get(again.id).version or 0).digest == undisturbed.digest
    assert registry.verify() == []


# the database


@pytest.mark.parametrize("backend", ["postgresql"])
def test_run_survives_a_restart_of_the_database(
    registry: Registry, store: StoreSettings, postgres: Postgres, tmp_path: Path
) -> None:
    run = queue(registry, LONGER)
    with start_training(tmp_path, *arguments(store), INKLING_DATABASE_URL=store.registry_url) as trainer:
        # given
        wait_until(lambda: registry.runs.get(run.id).step, "the run has made its first steps")
        # when
        postgres.stop("immediate")
        try:
            wait_until(lambda: "does not take a write, trying again" in trainer.log, "the trainer complains")
        finally:
            postgres.start()
        # then
        wait_until(lambda: registry.runs.get(run.id).state != "running", "the run ends")
        trainer.process.send_signal(signal.SIGTERM)
        assert trainer.end() == 0
    assert (registry.runs.get(run.id).state, registry.runs.get(run.id).attempt) == ("succeeded", 1), trainer.log
    assert [line.step for line in registry.runs.progress(run.id)] == list(range(20, 6001, 20))
    assert registry.verify() == []


@pytest.mark.parametrize("backend", ["postgresql"])
def test_run_whose_database_is_lost_for_longer_is_resumed(
    registry: Registry, store: StoreSettings, postgres: Postgres, trainers: Trainers
) -> None:
    # given: a trainer that waits a second for its database
    run = queue(registry, LONGER)
    trainer = threading.Thread(target=trainers.work, args=(store,))
    trainer.start()
    wait_until(lambda: registry.runs.snapshot(run.id), "the run has a snapshot")
    # when
    postgres.stop("immediate")
    try:
        trainer.join(DEADLINE_S)
    finally:
        postgres.start()
    # then
    assert not trainer.is_alive()
    assert f"run {run.id}: its failure cannot be recorded" in trainers.log
    assert "Traceback" not in trainers.log
    assert registry.verify() == []
    # when
    take_for_dead(registry, store)
    assert trainers.work(store) == 0
    # then
    ended = registry.runs.get(run.id)
    assert (ended.state, ended.attempt) == ("succeeded", 2), trainers.log
    assert [line.step for line in registry.runs.progress(run.id)] == list(range(20, 6001, 20))
    assert registry.verify() == []
