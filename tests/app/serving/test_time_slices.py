"""The time slices and timers of the server's threads."""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.servers import start_server

ASK = """
import os
from app.serving.time_slices import ask_for_shorter_slices
os.nice(3)
print(open("/proc/self/sched").read())
print(ask_for_shorter_slices(), os.getpriority(os.PRIO_PROCESS, 0))
print(open("/proc/self/sched").read())
"""

OWN = Path("/proc/self/sched")
LINUX = tuple(map(int, re.findall(r"\d+", platform.release())[:2]))
pytestmark = pytest.mark.skipif(
    LINUX < (6, 12) or not OWN.exists() or "se.slice" not in OWN.read_text(),
    reason="this kernel has no time slices of one process, or does not show them",
)


def slices_ns(sched: str) -> list[int]:
    return [int(found) for found in re.findall(r"^se\.slice\s*:\s*(\d+)", sched, re.MULTILINE)]


def test_process_keeps_its_niceness() -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    shown = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True).stdout
    assert f"\nTrue {before + 3}\n" in shown
    usual, shorter = slices_ns(shown)
    assert shorter == int(0.9 * usual)


def test_server_has_shorter_slices_and_exact_timers(tmp_path: Path) -> None:
    (usual,) = slices_ns(OWN.read_text())
    with start_server(tmp_path) as server:
        assert slices_ns(Path(f"/proc/{server.process.pid}/sched").read_text()) == [int(0.9 * usual)]
        assert Path(f"/proc/{server.process.pid}/timerslack_ns").read_text() == "1\n"
