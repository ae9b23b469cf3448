"""Runs that pause while a server's event loop lags."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from inkling.locks.pause_lock import PauseLock
from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from tests.support.processes import start_training, wait_until
from tests.support.runs import ENDLESS, claim, queue, step_of, worker_arguments
from training.process import StopSignal
from training.timings import Timings
from training.worker import Worker

pytestmark = pytest.mark.train


@pytest.fixture
def pause_lock(store: StoreSettings) -> Iterator[PauseLock]:
    """The lock as a server opens it."""
    pause_lock = PauseLock(store.data_dir)
    yield pause_lock
    pause_lock.close()


def hold(pause_lock: PauseLock) -> None:
    wait_until(pause_lock.hold, "no trainer checks the lock at this moment")


def test_paused_run_keeps_its_lease_and_continues_when_the_server_no_longer_lags(
    registry: Registry, store: StoreSettings, tmp_path: Path, pause_lock: PauseLock
) -> None:
    # given
    run = queue(registry, ENDLESS)
    with start_training(tmp_path, *worker_arguments(store)) as trainer:
        wait_until(step_of(registry, run.id), "the run has made its first steps")
        # when
        hold(pause_lock)
        wait_until(lambda: f"run {run.id}: paused: the server's event loop lags" in trainer.log, "the run is paused")
        # then
        paused = registry.runs.get(run.id)
        for _ in range(2):
            before = registry.runs.get(run.id).lease_expires_at
            wait_until(
                lambda before=before: registry.runs.get(run.id).lease_expires_at != before,  # type: ignore[misc]
                "its lease is renewed",
            )
        assert (registry.runs.get(run.id).step, registry.runs.get(run.id).state) == (paused.step, "running")
        # when
        pause_lock.release()
        # then
        wait_until(lambda: registry.runs.get(run.id).step > paused.step, "the run continues")
        assert registry.runs.get(run.id).attempt == 1
    assert f"run {run.id}: continues after" in trainer.log


def test_paused_run_is_cancelled_at_once_and_its_trainer_stopped_at_once(
    registry: Registry, store: StoreSettings, tmp_path: Path, pause_lock: PauseLock
) -> None:
    # given
    first, second = queue(registry, ENDLESS), queue(registry, ENDLESS)
    hold(pause_lock)
    with start_training(tmp_path, *worker_arguments(store)) as trainer:
        wait_until(lambda: f"run {first.id}: paused" in trainer.log, "the first run is paused")
        # when
        registry.runs.cancel(first.id)
        # then
        wait_until(lambda: f"run {second.id}: paused" in trainer.log, "the second run is paused")
        # when
        trainer.process.send_signal(signal.SIGTERM)
        # then
        assert trainer.end() == 0
    assert (registry.runs.get(second.id).state, registry.runs.get(second.id).attempt) == ("queued", 0)


def test_pause_ends_after_its_longest_time(registry: Registry, store: StoreSettings, pause_lock: PauseLock) -> None:
    hold(pause_lock)
    worker = Worker(registry, store, StopSignal(), Timings(max_pause_s=0.0))
    assert worker.train(claim(registry)).state == "succeeded"
