"""Runs whose trainer, database or disk fails, for a while or permanently."""

import os
import resource
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import safetensors.numpy

from inkling.registry.records import Snapshot
from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from tests.support.networks import random_parameters
from tests.support.postgres import BACKENDS, Postgres
from tests.support.processes import DEADLINE_S, start_training, wait_until
from tests.support.runs import (
    LONG_S,
    OWNER,
    SHORT,
    Outcome,
    expire_leases,
    published,
    queue,
    without_times,
    worker_arguments,
)
from tests.support.trainers import Point, Trainers
from training.process import StopSignal
from training.snapshot import TrainingState
from training.timings import Timings
from training.worker import Worker

pytestmark = [pytest.mark.train, pytest.mark.unmeasured]

LONGER = SHORT.with_overrides({"training_steps": 6000, "display_step": 20})
"""Long enough to be interrupted: 300 lines of progress, and as many snapshots."""


# the trainer


def test_run_killed_in_the_middle_ends_with_the_same_checkpoint(
    registry: Registry, store: StoreSettings, trainers: Trainers
) -> None:
    # given: an uninterrupted run
    uninterrupted = queue(registry, LONGER)
    assert trainers.work(store) == 0, trainers.log
    # when: a trainer of the same recipe is killed at some moment after its first snapshot
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
    expire_leases(registry, store)
    assert trainers.work(store) == 0
    # then
    assert f"run {run.id}: resumes from step {snapshot.step}" in trainers.log
    assert registry.runs.get(run.id).attempt == 2
    resumed, trained_at_once = published(registry)
    assert resumed.digest == trained_at_once.digest
    assert without_times(registry.runs.progress(run.id)) == without_times(registry.runs.progress(uninterrupted.id))
    times = [line.elapsed_s for line in registry.runs.progress(run.id)]
    assert times == sorted(times)
    assert registry.verify() == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_run_whose_trainer_dies_twice_fails(registry: Registry, store: StoreSettings, trainers: Trainers) -> None:
    # given
    run, next_run = queue(registry), queue(registry)
    at_second_snapshot = Point("snapshot", "INSERT INTO run_snapshots", "after commit", count=2)
    at_next_snapshot = Point("snapshot", "INSERT INTO run_snapshots", "after commit")
    # when
    for point in (at_second_snapshot, at_next_snapshot):
        assert trainers.work(store, point) == -signal.SIGKILL
        expire_leases(registry, store)
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


@pytest.mark.parametrize("kind", ["truncated", "not finite", "other tensors"])
def test_run_whose_snapshot_cannot_be_read_starts_over(
    registry: Registry, store: StoreSettings, trainers: Trainers, expected: Outcome, kind: str
) -> None:
    # given: a run in the queue with a damaged snapshot
    run = queue(registry)
    lease = registry.runs.claim(LONG_S, OWNER)
    assert lease is not None
    registry.runs.save_snapshot(lease, damaged(kind))
    registry.runs.release(lease)
    assert registry.runs.get(run.id).step == 40
    # when
    assert trainers.work(store) == 0
    # then
    assert f"run {run.id}: cannot read its snapshot, starting over: " in trainers.log
    assert [version.digest for version in published(registry)] == [expected.digest]
    assert without_times(registry.runs.progress(run.id)) == expected.lines
    assert registry.verify() == []


def test_run_with_a_learning_rate_that_is_too_high_fails_and_publishes_nothing(
    registry: Registry, store: StoreSettings, trainers: Trainers
) -> None:
    run = queue(registry, SHORT.with_overrides({"learning_rate": 1.0}))
    assert trainers.work(store) == 0
    failed = registry.runs.get(run.id)
    assert (failed.state, failed.error_type) == ("failed", "diverged")
    assert "training cannot recover from more than 294.731: the learning rate 1 is too high" in (failed.error or "")
    assert (published(registry), registry.runs.snapshot(run.id)) == ([], None)
    assert registry.verify() == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_trainers_train_every_run_once(
    registry: Registry, store: StoreSettings, expected: Outcome, tmp_path: Path
) -> None:
    # given
    runs = [queue(registry) for _ in range(6)]
    environment = {"INKLING_DATABASE_URL": store.registry_url}

    def have_ended() -> bool:
        return all(run.state not in ("queued", "running") for run in registry.runs.newest(10))

    # when
    with (
        start_training(tmp_path, *worker_arguments(store), **environment) as one,
        start_training(tmp_path, *worker_arguments(store), **environment) as other,
    ):
        wait_until(have_ended, "every run has ended")
        for trainer in (one, other):
            trainer.process.send_signal(signal.SIGTERM)
            assert trainer.end() == 0, trainer.log
    # then
    ended = [registry.runs.get(run.id) for run in runs]
    assert [(run.state, run.attempt) for run in ended] == [("succeeded", 1)] * 6
    assert sorted(run.version or 0 for run in ended) == [2, 3, 4, 5, 6, 7]
    assert {version.digest for version in published(registry)} == {expected.digest}
    assert all(without_times(registry.runs.progress(run.id)) == expected.lines for run in runs)
    assert registry.verify() == []


# the disk


def test_run_on_a_full_disk_fails_with_that_reason(
    registry: Registry, store: StoreSettings, trainers: Trainers, expected: Outcome
) -> None:
    # given: a disk with room for lines of progress, but not for half a megabyte
    run, next_run = queue(registry), queue(registry)
    registry.close()
    # when: no file of the trainer can grow beyond 400,000 bytes
    assert trainers.work(store, max_file_bytes=400_000) == 0
    # then
    for failed in (registry.runs.get(run.id), registry.runs.get(next_run.id)):
        assert (failed.state, failed.error_type) == ("failed", "disk_full"), trainers.log
        assert "is full" in (failed.error or "")
    assert (registry.verify(), registry.versions.newest(10)) == ([], [])
    # when: the disk has room again
    again = queue(registry)
    assert trainers.work(store) == 0
    # then
    assert registry.versions.get(registry.runs.get(again.id).version or 0).digest == expected.digest
    assert registry.verify() == []


def test_run_on_a_full_disk_waits_and_continues_when_there_is_room_again(
    registry: Registry, store: StoreSettings, trainers: Trainers, expected: Outcome
) -> None:
    # given: a disk with room for a few words, but not for a checkpoint
    run = queue(registry)
    registry.close()
    working = threading.Thread(
        target=trainers.work, args=(store,), kwargs={"max_file_bytes": 400_000, "disk_full_s": 600.0}
    )
    working.start()

    def trouble() -> str | None:
        return registry.runs.get(run.id).trouble

    # then
    assert "the disk of the registry is full; free some space" in (wait_until(trouble, "the run says so") or "")
    assert registry.runs.get(run.id).state == "running"
    # when: there is room again
    resource.prlimit(trainers.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    working.join(DEADLINE_S)
    # then
    ended = registry.runs.get(run.id)
    assert (ended.state, ended.attempt) == ("succeeded", 1), trainers.log
    assert registry.versions.get(ended.version or 0).digest == expected.digest
    assert registry.verify() == []


# the database


@pytest.mark.parametrize("backend", ["postgresql"])
def test_run_survives_a_restart_of_the_database(
    registry: Registry, store: StoreSettings, postgres: Postgres, tmp_path: Path
) -> None:
    run = queue(registry, LONGER)
    with start_training(tmp_path, *worker_arguments(store), INKLING_DATABASE_URL=store.registry_url) as trainer:
        # given
        wait_until(lambda: registry.runs.get(run.id).step, "the run has made its first steps")
        # when
        postgres.stop("immediate")
        try:
            wait_until(lambda: "cannot write to the registry, will retry" in trainer.log, "the trainer logs a warning")
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
def test_run_whose_database_is_away_for_longer_than_its_lease_goes_on(
    registry: Registry, store: StoreSettings, postgres: Postgres
) -> None:
    # given: a run that is trained, and another trainer that looks for work
    timings = Timings(lease_s=1.5, poll_s=0.1, grace_s=1.5)
    run = queue(registry, LONGER.with_overrides({"training_steps": 3000}))
    worker = Worker(registry, store, StopSignal(), timings)
    lease = worker.claim("one")
    assert lease is not None
    with closing(Registry(store.registry_url)) as other_registry, ThreadPoolExecutor(1) as pool:
        other = Worker(other_registry, store, StopSignal(), timings)
        training = pool.submit(worker.train, lease)
        wait_until(lambda: registry.runs.get(run.id).step, "the run has made its first steps")
        # when: the lease cannot be renewed until it has expired
        postgres.stop("immediate")
        stopped_at = time.monotonic()
        try:
            wait_until(
                lambda: not other.train_next("other") and time.monotonic() - stopped_at > 2 * timings.lease_s,
                "the lease has expired",
            )
        finally:
            postgres.start()
        # then: the other does not take the run over
        wait_until(lambda: not other.train_next("other") and training.done(), "the run ends")
    ended = training.result()
    assert (ended.state, ended.attempt) == ("succeeded", 1)
    assert [line.step for line in registry.runs.progress(run.id)] == list(range(20, 3001, 20))
    assert registry.verify() == []


@pytest.mark.parametrize("backend", ["postgresql"])
def test_run_whose_database_is_lost_for_longer_is_resumed(
    registry: Registry, store: StoreSettings, postgres: Postgres, trainers: Trainers
) -> None:
    # given: a trainer that retries for a second
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
    assert f"run {run.id}: cannot record its failure" in trainers.log
    assert "Traceback" not in trainers.log
    assert registry.verify() == []
    # when
    expire_leases(registry, store)
    assert trainers.work(store) == 0
    # then
    ended = registry.runs.get(run.id)
    assert (ended.state, ended.attempt) == ("succeeded", 2), trainers.log
    assert [line.step for line in registry.runs.progress(run.id)] == list(range(20, 6001, 20))
    assert registry.verify() == []
