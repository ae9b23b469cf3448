import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from inkling.locks.pause_lock import PauseLock
from inkling.network.checkpoint import load
from inkling.network.recipe import TUTORIAL
from inkling.registry.records import Lease, Progress, PromotePolicy, Run
from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from tests.support.networks import make_checkpoint, parameters_that_read
from tests.support.processes import run_training, start_training, wait_until, without_module
from training import worker
from training.worker import StopRequested, train_run

SMALL = TUTORIAL.with_overrides({"training_steps": 200, "display_step": 100, "validation_size": 500})
ENDLESS = SMALL.with_overrides({"training_steps": 1_000_000, "display_step": 500, "batch_size": 1})
LONG_S = 600.0
OWNER = "tests"


def claim(registry: Registry, promote: PromotePolicy = "if_better", lease_s: float = LONG_S) -> Lease:
    """Queue a small run and claim it."""
    registry.runs.queue(SMALL, promote, max_queued=100)
    claimed = registry.runs.claim(lease_s, OWNER)
    assert claimed is not None
    return claimed


def queue(registry: Registry, *, is_endless: bool = False) -> Run:
    return registry.runs.queue(ENDLESS if is_endless else SMALL, "if_better", max_queued=100)[0]


def database_file(store: StoreSettings) -> Path:
    return store.data_dir / "inkling.db"


def execute(store: StoreSettings, statement: str) -> None:
    """Do to the database what no method of the registry does."""
    with closing(sqlite3.connect(database_file(store), timeout=60)) as connection, connection:
        connection.execute(statement)


# one run, in this process


@pytest.mark.train
def test_trained_run_publishes_a_version_with_its_progress(registry: Registry, store: StoreSettings) -> None:
    # given
    shown: list[Progress] = []
    # when
    run = train_run(registry, claim(registry), store, shown.append)
    # then
    assert (run.state, run.step, run.version, run.decision) == ("succeeded", 200, 1, "nothing was served")
    assert [line.step for line in shown] == [100, 200]
    assert registry.runs.progress(run.id) == shown
    card = load(registry.versions.checkpoint(1)).card
    assert (card.recipe, card.dataset) == (SMALL, "custom")
    assert card.evaluation == registry.versions.get(1).evaluation
    served = registry.versions.served()
    assert served is not None
    assert (served.version, served.policy) == (1, "if_better")


@pytest.mark.train
@pytest.mark.parametrize(("promote", "is_served"), [("always", True), ("if_better", True), ("never", False)])
def test_promote_policy_decides_what_is_served(
    registry: Registry, store: StoreSettings, promote: PromotePolicy, is_served: bool
) -> None:
    # given: a served version that reads a 3 in every image, worse than any training
    registry.versions.add_first(make_checkpoint(parameters_that_read(3)))
    # when
    run = train_run(registry, claim(registry, promote), store)
    # then
    served = registry.versions.served()
    assert served is not None
    assert (run.state, run.version, served.version) == ("succeeded", 2, 2 if is_served else 1)
    assert (run.decision == served.reason) == is_served


def test_run_without_data_fails_and_says_what_is_missing(registry: Registry, tmp_path: Path) -> None:
    settings = StoreSettings(data_dir=tmp_path / "data", mnist_dir=tmp_path / "nowhere")
    run = train_run(registry, claim(registry), settings)
    assert (run.state, run.error_type, run.version) == ("failed", "dataset", None)
    assert str(tmp_path / "nowhere") in (run.error or "")
    assert "lacks train-images-idx3-ubyte" in (run.error or "")


@pytest.mark.train
def test_run_with_nothing_left_to_train_on_fails(registry: Registry, store: StoreSettings) -> None:
    registry.runs.queue(TUTORIAL, "never", max_queued=1)  # holds out 5,000 images: more than there are
    mine = registry.runs.claim(LONG_S, OWNER)
    assert mine is not None
    run = train_run(registry, mine, store)
    assert (run.state, run.error_type) == ("failed", "dataset")
    assert "validation_size 5000 leaves nothing to train on" in (run.error or "")


@pytest.mark.train
def test_diverged_run_fails_and_keeps_what_is_served(registry: Registry, store: StoreSettings) -> None:
    # given: a learning rate that no recipe of a client can have, because no smaller one makes the loss infinite
    registry.versions.add_first(make_checkpoint())
    mine = claim(registry, "always")
    absurd = replace(mine, run=replace(mine.run, recipe=SMALL.model_copy(update={"learning_rate": 3e38})))
    # when
    run = train_run(registry, absurd, store)
    # then
    served = registry.versions.served()
    assert served is not None
    assert (run.state, run.error_type, served.version) == ("failed", "diverged", 1)
    assert "the learning rate 3e+38 is too high" in (run.error or "")


@pytest.mark.train
def test_cancelled_run_stops_and_publishes_nothing(registry: Registry, store: StoreSettings) -> None:
    shown: list[int] = []

    def cancel(progress: Progress) -> None:
        shown.append(progress.step)
        registry.runs.cancel(1)

    run = train_run(registry, claim(registry), store, cancel)
    assert (run.state, run.version, shown, registry.versions.newest(10)) == ("cancelled", None, [100], [])


@pytest.mark.train
def test_run_cancelled_after_its_last_step_publishes_nothing(registry: Registry, store: StoreSettings) -> None:
    def cancel(progress: Progress) -> None:
        if progress.step == SMALL.training_steps:
            registry.runs.cancel(1)

    run = train_run(registry, claim(registry), store, cancel)
    assert (run.state, registry.versions.newest(10), registry.versions.served()) == ("cancelled", [], None)


@pytest.mark.train
def test_run_given_to_another_trainer_is_left_to_it(registry: Registry, store: StoreSettings) -> None:
    # given: a lease that ends at once
    mine = claim(registry, lease_s=0)
    others: list[Lease | None] = []

    def take(progress: Progress) -> None:
        others.append(registry.runs.claim(LONG_S, OWNER))

    # when: another takes the run while the first still trains
    run = train_run(registry, mine, store, take)
    # then
    assert [other.run.id for other in others if other] == [run.id]
    assert (run.state, run.attempt, registry.versions.newest(10)) == ("running", 2, [])


@pytest.mark.train
@pytest.mark.parametrize("stop", [StopRequested, KeyboardInterrupt])
def test_stopped_run_goes_back_to_the_queue(
    registry: Registry, store: StoreSettings, stop: type[BaseException]
) -> None:
    def ask_to_stop(progress: Progress) -> None:
        raise stop

    with pytest.raises(stop):
        train_run(registry, claim(registry), store, ask_to_stop)
    run = registry.runs.get(1)
    assert (run.state, run.attempt, run.step, registry.runs.progress(1)) == ("queued", 0, 0, [])


@pytest.mark.train
def test_unexpected_error_fails_the_run_and_is_logged(
    registry: Registry, store: StoreSettings, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(progress: Progress) -> None:
        raise ZeroDivisionError

    run = train_run(registry, claim(registry), store, fail)
    assert (run.state, run.error_type, run.error) == ("failed", "internal", "ZeroDivisionError")
    assert [record.exc_info is not None for record in caplog.records if "run 1: failed" in record.message] == [True]


@pytest.mark.train
def test_failure_of_a_run_that_was_cancelled_leaves_it_cancelled(
    registry: Registry, store: StoreSettings, caplog: pytest.LogCaptureFixture
) -> None:
    def cancel_and_fail(progress: Progress) -> None:
        registry.runs.cancel(1)
        raise ZeroDivisionError

    run = train_run(registry, claim(registry), store, cancel_and_fail)
    assert (run.state, run.error_type) == ("cancelled", None)
    assert "its failure cannot be recorded" in caplog.text


# the heartbeat


@pytest.fixture
def _quick_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "LEASE_S", 0.15)


def beats() -> bool:
    return any(thread.name == "heartbeat" for thread in threading.enumerate())


@pytest.mark.usefixtures("_quick_heartbeat")
def test_lease_is_renewed_while_a_run_is_trained(registry: Registry) -> None:
    mine = claim(registry, lease_s=0)

    def expiry_moved(since: Run) -> Callable[[], bool]:
        return lambda: registry.runs.get(1).lease_expires_at != since.lease_expires_at

    with worker._heartbeat(registry, mine):
        wait_until(expiry_moved(mine.run), "the lease is renewed")
        wait_until(expiry_moved(registry.runs.get(1)), "it is renewed again")
    assert not beats()


@pytest.mark.usefixtures("_quick_heartbeat")
def test_heartbeat_ends_with_the_lease(registry: Registry) -> None:
    mine = claim(registry)
    with worker._heartbeat(registry, mine):
        assert beats()
        registry.runs.cancel(1)
        wait_until(lambda: not beats(), "the heartbeat ends")
    assert registry.runs.get(1).state == "cancelled"


@pytest.mark.usefixtures("_quick_heartbeat")
def test_heartbeat_survives_a_registry_out_of_reach(
    registry: Registry, store: StoreSettings, caplog: pytest.LogCaptureFixture
) -> None:
    mine = claim(registry)
    with caplog.at_level(logging.WARNING), worker._heartbeat(registry, mine):
        # given: a database that answers with errors for a while
        execute(store, "ALTER TABLE runs RENAME TO hidden")
        wait_until(lambda: "its lease cannot be renewed" in caplog.text, "a renewal fails")
        # when
        execute(store, "ALTER TABLE hidden RENAME TO runs")
        before = registry.runs.get(1).lease_expires_at
        # then
        wait_until(lambda: registry.runs.get(1).lease_expires_at != before, "the lease is renewed again")


# the trainer process


def arguments(store: StoreSettings) -> list[str]:
    return ["worker", "--data-dir", str(store.data_dir), "--mnist-dir", str(store.mnist_dir)]


def has_failed(registry: Registry, run_id: int) -> Callable[[], bool]:
    return lambda: registry.runs.get(run_id).state == "failed"


def step_of(registry: Registry, run_id: int) -> Callable[[], int]:
    return lambda: registry.runs.get(run_id).step


@pytest.mark.train
def test_trainer_asked_to_stop_puts_its_run_back(registry: Registry, store: StoreSettings, tmp_path: Path) -> None:
    # given: a trainer amid a run
    run = queue(registry, is_endless=True)
    with start_training(tmp_path, *arguments(store)) as trainer:
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
    run = queue(registry, is_endless=True)
    with start_training(tmp_path, *arguments(store)) as trainer:
        wait_until(lambda: registry.runs.get(run.id).state == "running", "the run is claimed")
        trainer.process.send_signal(signal.SIGTERM)
        assert trainer.end() == 0
    waiting = registry.runs.get(run.id)
    assert waiting == replace(run, started_at=waiting.started_at)


@pytest.mark.train
def test_run_of_a_killed_trainer_is_given_to_the_next_and_then_given_up(
    registry: Registry, store: StoreSettings, tmp_path: Path
) -> None:
    # given: a trainer killed amid a run
    run = queue(registry, is_endless=True)
    with start_training(tmp_path, *arguments(store)) as trainer:
        wait_until(step_of(registry, run.id), "the run has made its first steps")
        trainer.process.kill()
        assert trainer.end() == -signal.SIGKILL
    assert registry.runs.get(run.id).state == "running"
    assert not registry.runs.has_work()
    # when: its lease ends (30 seconds, which the test does not wait for), and another trainer is started
    execute(store, "UPDATE runs SET lease_expires_at = '2000-01-01 00:00:00.000000'")
    assert registry.runs.has_work()
    with start_training(tmp_path, *arguments(store)) as trainer:
        # then: it takes up the run, from the beginning
        wait_until(lambda: registry.runs.get(run.id).attempt == 2, "the run is claimed again")
        assert (registry.runs.get(run.id).step, registry.runs.progress(run.id)) == (0, [])
        # when: it is killed too
        trainer.process.kill()
        trainer.end()
    execute(store, "UPDATE runs SET lease_expires_at = '2000-01-01 00:00:00.000000'")
    # then: the run is given up
    assert registry.runs.claim(LONG_S, OWNER) is None
    assert (registry.runs.get(run.id).state, registry.runs.get(run.id).error_type) == ("failed", "trainer_died")
    assert (registry.versions.newest(10), registry.versions.served()) == ([], None)


@pytest.mark.train
def test_trainer_goes_on_to_the_next_run_after_one_is_cancelled_and_one_fails(
    registry: Registry, store: StoreSettings, tmp_path: Path
) -> None:
    # given: a run that never ends, one that fails, and one that is small
    endless = queue(registry, is_endless=True)
    failing, _ = registry.runs.queue(SMALL.with_overrides({"validation_size": 30_000}), "never", max_queued=9)
    last = queue(registry)
    with start_training(tmp_path, *arguments(store), "--idle-exit", "0.1") as trainer:
        # when
        wait_until(step_of(registry, endless.id), "the endless run has made its first steps")
        registry.runs.cancel(endless.id)
        # then: the trainer ends by itself when nothing waits any more
        assert trainer.end() == 0
    assert [registry.runs.get(run.id).state for run in (endless, failing, last)] == ["cancelled", "failed", "succeeded"]
    assert [version.run_id for version in registry.versions.newest(10)] == [last.id]
    assert f"run {last.id}: succeeded, version 1, test accuracy 0." in trainer.log
    assert "Traceback" not in trainer.log


def test_trainer_that_failed_a_run_waits_for_the_next_until_it_is_asked_to_stop(
    registry: Registry, store: StoreSettings, tmp_path: Path
) -> None:
    # given: a trainer without data
    without_data = store.model_copy(update={"mnist_dir": tmp_path})
    with start_training(tmp_path, *arguments(without_data)) as trainer:
        for run in (queue(registry), queue(registry)):
            wait_until(has_failed(registry, run.id), f"run {run.id} has failed")
        # when
        trainer.process.send_signal(signal.SIGTERM)
        # then
        assert trainer.end() == 0
    assert "asked to stop" in trainer.log
    assert "Traceback" not in trainer.log


def test_trainer_without_work_ends_after_its_idle_time(store: StoreSettings) -> None:
    ended = run_training(*arguments(store), "--idle-exit", "0")
    assert (ended.returncode, ended.stdout) == (0, "")
    assert store.has_registry


def test_trainer_waits_for_a_registry_out_of_reach(registry: Registry, store: StoreSettings, tmp_path: Path) -> None:
    # given: a trainer without data, and a database that answers with errors for a while
    without_data = store.model_copy(update={"mnist_dir": tmp_path})
    with start_training(tmp_path, *arguments(without_data)) as trainer:
        first = queue(registry)
        wait_until(has_failed(registry, first.id), "the trainer is at work")
        execute(store, "ALTER TABLE runs RENAME TO hidden")
        wait_until(lambda: "the registry cannot be reached, trying again" in trainer.log, "the trainer complains")
        # when
        execute(store, "ALTER TABLE hidden RENAME TO runs")
        second = queue(registry)
        # then
        wait_until(has_failed(registry, second.id), "the trainer takes runs again")
        trainer.process.send_signal(signal.SIGTERM)
        assert trainer.end() == 0


def test_trainer_without_tensorflow_says_so(registry: Registry, store: StoreSettings, tmp_path: Path) -> None:
    run = queue(registry)
    run_training(*arguments(store), "--idle-exit", "0.1", **without_module(tmp_path, "tensorflow"))
    failed = registry.runs.get(run.id)
    assert (failed.state, failed.error_type) == ("failed", "tensorflow_missing")
    assert "No module named 'tensorflow'" in (failed.error or "")


def test_trainer_leaves_the_processor_to_others(store: StoreSettings, registry: Registry, tmp_path: Path) -> None:
    with start_training(tmp_path, *arguments(store)) as trainer:
        stat = Path("/proc") / str(trainer.process.pid) / "stat"
        if not stat.exists():
            pytest.skip("needs /proc to see the priority of a process")
        wait_until(lambda: int(stat.read_text().rsplit(") ")[-1].split()[16]) > 0, "the trainer has been nice")
        if hasattr(os, "SCHED_IDLE"):
            wait_until(lambda: os.sched_getscheduler(trainer.process.pid) == os.SCHED_IDLE, "it is nicer still")


def test_trainer_in_a_session_of_its_own_has_the_session_yield(store: StoreSettings, registry: Registry) -> None:
    command = [sys.executable, "-m", "training", *arguments(store)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True) as trainer:
        try:
            autogroup = Path(f"/proc/{trainer.pid}/autogroup")
            if not autogroup.exists():
                pytest.skip("needs /proc/PID/autogroup, which this kernel was built without")
            wait_until(lambda: autogroup.read_text().endswith("nice 19\n"), "its session yields to others")
        finally:
            trainer.kill()


@pytest.mark.train
def test_trainer_computes_with_as_many_threads_as_it_is_told(
    registry: Registry, store: StoreSettings, tmp_path: Path
) -> None:
    tasks = {}
    for threads in (1, 12):
        queue(registry)
        folder = tmp_path / str(threads)
        folder.mkdir()
        with start_training(folder, *arguments(store), INKLING_TRAINER_THREADS=str(threads)) as trainer:
            own = Path("/proc") / str(trainer.process.pid) / "task"
            if not own.exists():
                pytest.skip("needs /proc to count the threads of a process")
            wait_until(lambda trainer=trainer: "succeeded" in trainer.log, "the run has ended")  # type: ignore[misc]
            tasks[threads] = len(list(own.iterdir()))
    assert tasks[12] - tasks[1] >= 11


# standing still for predictions


@pytest.fixture
def pause_lock(store: StoreSettings) -> Iterator[PauseLock]:
    """The right of way as a server has it."""
    pause_lock = PauseLock(store.data_dir)
    yield pause_lock
    pause_lock.close()


def hold_pause_lock(pause_lock: PauseLock) -> None:
    wait_until(pause_lock.hold, "no trainer looks this very moment")


@pytest.mark.train
def test_run_stands_still_with_its_lease_while_predictions_have_the_right_of_way(
    registry: Registry, store: StoreSettings, tmp_path: Path, pause_lock: PauseLock
) -> None:
    # given
    run = queue(registry, is_endless=True)
    with start_training(tmp_path, *arguments(store)) as trainer:
        wait_until(step_of(registry, run.id), "the run has made its first steps")
        # when
        hold_pause_lock(pause_lock)
        wait_until(lambda: f"run {run.id}: stands still" in trainer.log, "the run stands still")
        # then
        still = registry.runs.get(run.id)
        for _ in range(2):
            before = registry.runs.get(run.id).lease_expires_at
            wait_until(
                lambda before=before: registry.runs.get(run.id).lease_expires_at != before,  # type: ignore[misc]
                "its lease is renewed",
            )
        assert (registry.runs.get(run.id).step, registry.runs.get(run.id).state) == (still.step, "running")
        # when
        pause_lock.release()
        # then
        wait_until(lambda: registry.runs.get(run.id).step > still.step, "the run goes on")
        assert registry.runs.get(run.id).attempt == 1
    assert f"run {run.id}: goes on after" in trainer.log


@pytest.mark.train
def test_run_that_stands_still_is_cancelled_at_once_and_its_trainer_stopped_at_once(
    registry: Registry, store: StoreSettings, tmp_path: Path, pause_lock: PauseLock
) -> None:
    # given
    first, second = queue(registry, is_endless=True), queue(registry, is_endless=True)
    hold_pause_lock(pause_lock)
    with start_training(tmp_path, *arguments(store)) as trainer:
        wait_until(lambda: f"run {first.id}: stands still" in trainer.log, "the first run stands still")
        # when
        registry.runs.cancel(first.id)
        # then
        wait_until(lambda: f"run {second.id}: stands still" in trainer.log, "the second run stands still")
        # when
        trainer.process.send_signal(signal.SIGTERM)
        # then
        assert trainer.end() == 0
    assert (registry.runs.get(second.id).state, registry.runs.get(second.id).attempt) == ("queued", 0)


@pytest.mark.train
def test_run_never_stands_still_for_ever(
    registry: Registry, store: StoreSettings, pause_lock: PauseLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "MAX_PAUSE_S", 0.0)
    hold_pause_lock(pause_lock)
    assert train_run(registry, claim(registry), store).state == "succeeded"
