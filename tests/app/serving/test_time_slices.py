"""The time slices and timers of the server's threads."""

import os
import platform
import re
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from inkling.time_slices import ask_for_slices, slice_ns
from tests.support.servers import start_server

ASK = """
import os, threading
from app.serving.time_slices import TimeSlices
os.nice(3)
slices, is_over = TimeSlices(), threading.Event()
thread = threading.Thread(target=is_over.wait)
thread.start()
for is_trainer_alive in (False, True, True, False):
    slices.adapt(is_trainer_alive=is_trainer_alive)
    for task in sorted(os.listdir("/proc/self/task"), key=int):
        print(open(f"/proc/self/task/{task}/sched").read())
TimeSlices().adapt(is_trainer_alive=True)
print(open("/proc/self/sched").read())
print("niceness", os.getpriority(os.PRIO_PROCESS, 0))
is_over.set()
"""
TRAINER = """
import os
from app.serving.time_slices import TimeSlices
from training.process import lower_priority
TimeSlices()
lower_priority()
assert os.sched_getscheduler(0) == os.SCHED_IDLE
os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))  # Linux does not show the slices of SCHED_IDLE
print(open("/proc/self/sched").read())
"""
USUAL = """
from inkling.time_slices import USUAL, ask_for_slices, slice_ns
ask_for_slices(USUAL)
print(open("/proc/self/sched").read(), slice_ns())
"""
SHORTEST_NS = 100_000
WAIT_S = 120.0

OWN = Path("/proc/self/sched")
LINUX = tuple(map(int, re.findall(r"\d+", platform.release())[:2]))
pytestmark = pytest.mark.skipif(
    LINUX < (6, 12) or not OWN.exists() or "se.slice" not in OWN.read_text(),
    reason="this kernel has no time slices of one process, or does not show them",
)


def run_python(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout


def slices_ns(sched: str) -> list[int]:
    return [int(found) for found in re.findall(r"^se\.slice\s*:\s*(\d+)", sched, re.MULTILINE)]


def slices_of(process: int) -> set[int]:
    """Return the lengths of the time slices of a process's threads, in ns."""
    found: set[int] = set()
    for task in Path(f"/proc/{process}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended meanwhile
            found.update(slices_ns((task / "sched").read_text()))
    return found


def usual_ns() -> int:
    shown = run_python(USUAL)
    (usual,) = slices_ns(shown)
    assert shown.endswith(f" {usual}\n")
    assert usual > 2 * SHORTEST_NS
    return usual


@pytest.fixture(scope="module")
def beside_trainer_ns() -> int:
    """The slices beside a trainer: nine tenths of the usual ones, which a process can ask for again."""
    return int(0.9 * usual_ns())


def test_threads_have_the_shortest_slices_and_hardly_shorter_ones_beside_a_trainer(beside_trainer_ns: int) -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    shown = run_python(ASK)
    *each, of_a_child = slices_ns(shown)
    threads = len(each) // 4
    assert threads >= 2
    assert each == [
        *[SHORTEST_NS] * threads,
        *[beside_trainer_ns] * 2 * threads,
        *[SHORTEST_NS] * threads,
    ]
    assert of_a_child == beside_trainer_ns  # not a share of the shorter slices that it inherited
    assert f"niceness {before + 3}\n" in shown


def test_trainer_has_the_usual_slices_where_its_server_has_shorter_ones() -> None:
    assert slices_ns(run_python(TRAINER)) == [usual_ns()]


def test_thread_that_is_not_there_has_no_slices_to_ask_for() -> None:
    ask_for_slices(SHORTEST_NS, 2**22 + 1)  # beyond the largest id that Linux gives
    (length,) = slices_ns(OWN.read_text())
    assert slice_ns() == length


@pytest.mark.train
def test_server_adapts_its_slices_to_its_trainer(tmp_path: Path, small_mnist_dir: Path, beside_trainer_ns: int) -> None:
    def wait_for_slices(expected_ns: int) -> None:
        deadline = time.monotonic() + WAIT_S
        while slices_of(server.process.pid) != {expected_ns}:
            assert time.monotonic() < deadline, slices_of(server.process.pid)
            time.sleep(0.05)

    environment = {"INKLING_TRAINER": "process", "INKLING_MNIST_DIR": str(small_mnist_dir)}
    with start_server(tmp_path, **environment) as server, server.client() as client:
        wait_for_slices(SHORTEST_NS)
        assert Path(f"/proc/{server.process.pid}/timerslack_ns").read_text() == "1\n"
        body = {"recipe": "accurate", "overrides": {"training_steps": 100_000}, "promote": "never"}
        run = client.post("/train", json=body).raise_for_status().headers["location"]
        wait_for_slices(beside_trainer_ns)
        client.delete(run).raise_for_status()
        wait_for_slices(SHORTEST_NS)  # the trainer ends when it has waited for another run
