"""Workers as processes of their own: stopped, killed, without data, without a registry."""

import signal
from dataclasses import replace
from pathlib import Path

import pytest

from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from tests.support.processes import run_training, start_training, wait_until, without_module
from tests.support.runs import (
    ENDLESS,
    LONG_S,
    OWNER,
    SMALL,
    execute,
    has_failed,
    published,
    queue,
    step_of,
    worker_arguments,
)


@pytest.mark.train
def test_trainer_asked_to_stop_puts_its_run_back(registry: Registry, store: StoreSettings, tmp_path: Path) -> None:
    # given: a trainer that trains a run
    run = queue(registry, ENDLESS)
    with start_training(tmp_path, *worker_arguments(store)) as trainer:
        wait_until(step_of(registry, run.id), "the run has made its first steps")
        # when
        trainer.process.send_signal(signal.SIGTERM)
        # then
        assert trainer.end() == 0
    assert "asked to stop" in trainer.log
    waiting = registry.runs.get(run.id)
    assert waiting == replace(run, started_at=waiting.started_at, step=waiting.step)
    assert all(line.step <= waiting.step for line in registry.runs.progress(run.id))


@pytest.mark.train
def test_trainer_asked_to_stop_while_it_loads_tensorflow_puts_its_run_back(
    registry: Registry, store: StoreSettings, tmp_path: Path
) -> None:
    run = queue(registry, ENDLESS)
    with start_training(tmp_path, *worker_arguments(store)) as trainer:
        wait_until(lambda: registry.runs.get(run.id).state == "running", "the run is claimed")
        trainer.process.send_signal(signal.SIGTERM)
        assert trainer.end() == 0
    waiting = registry.runs.get(run.id)
    assert waiting == replace(run, started_at=waiting.started_at)


@pytest.mark.train
def test_run_of_a_killed_trainer_is_trained_by_the_next_and_fails_when_that_is_killed_too(
    registry: Registry, store: StoreSettings, tmp_path: Path
) -> None:
    # given: a trainer killed while it trains a run
    run = queue(registry, ENDLESS)
    with start_training(tmp_path, *worker_arguments(store)) as trainer:
        wait_until(step_of(registry, run.id), "the run has made its first steps")
        trainer.process.kill()
        assert trainer.end() == -signal.SIGKILL
    assert registry.runs.get(run.id).state == "running"
    assert not registry.runs.workload().claimable()
    # when: its lease expires (after 30 seconds, which the test does not wait for), and another trainer is started
    execute(store, "UPDATE runs SET lease_expires_at = '2000-01-01 00:00:00.000000'")
    assert registry.runs.workload().claimable()
    snapshot = registry.runs.snapshot(run.id)  # None, unless the first steps took longer than the time between two
    with start_training(tmp_path, *worker_arguments(store)) as trainer:
        # then: it claims the run and starts from its snapshot, or from the beginning
        wait_until(lambda: registry.runs.get(run.id).attempt == 2, "the run is claimed again")
        step = snapshot.step if snapshot else 0
        assert registry.runs.get(run.id).step == step
        assert [line.step for line in registry.runs.progress(run.id)] == list(range(500, step + 1, 500))
        # when: it is killed too
        trainer.process.kill()
        trainer.end()
    execute(store, "UPDATE runs SET lease_expires_at = '2000-01-01 00:00:00.000000'")
    # then: the run fails
    assert registry.runs.claim(LONG_S, OWNER) is None
    assert (registry.runs.get(run.id).state, registry.runs.get(run.id).error_type) == ("failed", "trainer_died")
    assert published(registry) == []


@pytest.mark.train
def test_trainer_continues_with_the_next_run_after_one_is_cancelled_and_one_fails(
    registry: Registry, store: StoreSettings, tmp_path: Path
) -> None:
    # given: a run that never ends, one that fails, and one that is small
    endless = queue(registry, ENDLESS)
    failing, _ = registry.runs.queue(SMALL.with_overrides({"validation_size": 30_000}), "never", max_queued=9)
    last = queue(registry, SMALL)
    with start_training(tmp_path, *worker_arguments(store), "--idle-exit", "0.1") as trainer:
        # when
        wait_until(step_of(registry, endless.id), "the endless run has made its first steps")
        registry.runs.cancel(endless.id)
        # then: the trainer ends by itself when no run is queued
        assert trainer.end() == 0
    assert [registry.runs.get(run.id).state for run in (endless, failing, last)] == ["cancelled", "failed", "succeeded"]
    assert [version.run_id for version in published(registry)] == [last.id]
    assert f"run {last.id}: succeeded, version 2, test accuracy 0." in trainer.log
    assert "Traceback" not in trainer.log


def test_trainer_waits_for_the_next_run_after_a_failure_until_it_is_asked_to_stop(
    registry: Registry, store: StoreSettings, tmp_path: Path
) -> None:
    # given: a trainer without data
    without_data = store.model_copy(update={"mnist_dir": tmp_path})
    with start_training(tmp_path, *worker_arguments(without_data)) as trainer:
        for run in (queue(registry, SMALL), queue(registry, SMALL)):
            wait_until(has_failed(registry, run.id), f"run {run.id} has failed")
        # when
        trainer.process.send_signal(signal.SIGTERM)
        # then
        assert trainer.end() == 0
    assert "asked to stop" in trainer.log
    assert "Traceback" not in trainer.log


def test_trainer_without_runs_ends_after_its_idle_time(store: StoreSettings) -> None:
    ended = run_training(*worker_arguments(store), "--idle-exit", "0")
    assert (ended.returncode, ended.stdout) == (0, "")
    assert store.has_registry


def test_trainer_waits_for_an_unreachable_registry(registry: Registry, store: StoreSettings, tmp_path: Path) -> None:
    # given: a trainer without data, and a database that answers with errors for a while
    without_data = store.model_copy(update={"mnist_dir": tmp_path})
    with start_training(tmp_path, *worker_arguments(without_data)) as trainer:
        first = queue(registry, SMALL)
        wait_until(has_failed(registry, first.id), "the trainer has claimed a run")
        execute(store, "ALTER TABLE runs RENAME TO hidden")
        wait_until(lambda: "cannot reach the registry, will retry" in trainer.log, "the trainer logs a warning")
        # when
        execute(store, "ALTER TABLE hidden RENAME TO runs")
        second = queue(registry, SMALL)
        # then
        wait_until(has_failed(registry, second.id), "the trainer claims runs again")
        trainer.process.send_signal(signal.SIGTERM)
        assert trainer.end() == 0


def test_run_fails_with_a_reason_where_tensorflow_is_missing(
    registry: Registry, store: StoreSettings, tmp_path: Path
) -> None:
    run = queue(registry, SMALL)
    run_training(*worker_arguments(store), "--idle-exit", "0", **without_module(tmp_path, "tensorflow"))
    failed = registry.runs.get(run.id)
    assert (failed.state, failed.error_type) == ("failed", "tensorflow_missing")
    assert "No module named 'tensorflow'" in (failed.error or "")
