"""The trainer's process: its priority, its threads, and the signal that stops it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from tests.support.processes import start_training, wait_until
from tests.support.runs import SMALL, queue, worker_arguments
from training.process import StopRequested, StopSignal


@pytest.fixture
def _signals_restored() -> Iterator[None]:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_signals_restored")
def test_sigterm_stops_at_the_next_check_and_not_before() -> None:
    stop = StopSignal()
    stop.listen()
    stop.check()
    signal.raise_signal(signal.SIGTERM)
    with pytest.raises(StopRequested):
        stop.check()


@pytest.mark.usefixtures("_signals_restored")
def test_first_ctrl_c_stops_at_the_next_check_and_a_second_one_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    stop = StopSignal()
    stop.listen()
    signal.raise_signal(signal.SIGINT)
    assert capfd.readouterr().err == "stopping after this step; press Ctrl-C again to stop at once\n"
    with pytest.raises(StopRequested):
        stop.check()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("_signals_restored")
def test_ignored_ctrl_c_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stop = StopSignal()
    stop.listen()
    signal.raise_signal(signal.SIGINT)
    stop.check()


def test_trainer_has_the_lowest_cpu_priority(store: StoreSettings, registry: Registry, tmp_path: Path) -> None:
    with start_training(tmp_path, *worker_arguments(store)) as trainer:
        stat = Path("/proc") / str(trainer.process.pid) / "stat"
        if not stat.exists():
            pytest.skip("needs /proc to see the priority of a process")
        wait_until(lambda: int(stat.read_text().rsplit(") ")[-1].split()[16]) > 0, "its niceness is raised")
        if hasattr(os, "SCHED_IDLE"):
            wait_until(
                lambda: os.sched_getscheduler(trainer.process.pid) == os.SCHED_IDLE, "its scheduling policy is idle"
            )


def test_trainer_in_a_session_of_its_own_lowers_the_priority_of_the_session(
    store: StoreSettings, registry: Registry
) -> None:
    command = [sys.executable, "-m", "training", *worker_arguments(store)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True) as trainer:
        try:
            autogroup = Path(f"/proc/{trainer.pid}/autogroup")
            if not autogroup.exists():
                pytest.skip("needs /proc/PID/autogroup, which this kernel was built without")
            wait_until(lambda: autogroup.read_text().endswith("nice 19\n"), "the session has the lowest priority")
        finally:
            trainer.kill()


@pytest.mark.train
def test_trainer_uses_as_many_threads_as_the_setting_says(
    registry: Registry, store: StoreSettings, tmp_path: Path
) -> None:
    tasks = {}
    for threads in (1, 12):
        queue(registry, SMALL)
        folder = tmp_path / str(threads)
        folder.mkdir()
        with start_training(folder, *worker_arguments(store), INKLING_TRAINER_THREADS=str(threads)) as trainer:
            own = Path("/proc") / str(trainer.process.pid) / "task"
            if not own.exists():
                pytest.skip("needs /proc to count the threads of a process")
            wait_until(lambda trainer=trainer: "succeeded" in trainer.log, "the run has ended")  # type: ignore[misc]
            tasks[threads] = len(list(own.iterdir()))
    assert tasks[12] - tasks[1] >= 11
