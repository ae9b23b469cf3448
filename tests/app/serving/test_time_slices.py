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
from app.serving.time_slices import ask_for_short_slices
os.nice(3)
print(ask_for_short_slices(), os.getpriority(os.PRIO_PROCESS, 0))
print(open("/proc/self/sched").read())
"""

OWN = Path("/proc/self/sched")
LINUX = tuple(map(int, re.findall(r"\d+", platform.release())[:2]))
pytestmark = pytest.mark.skipif(
    LINUX < (6, 12) or not OWN.exists() or "se.slice" not in OWN.read_text(),
    reason="this kernel has no time slices of one process, or does not show them",
)


def slice_ns(sched: str) -> int:
    found = re.search(r"^se\.slice\s*:\s*(\d+)", sched, re.MULTILINE)
    assert found
    return int(found[1])


def test_process_keeps_its_niceness() -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    shown = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True).stdout
    accepted, niceness = shown.split()[:2]
    assert int(niceness) == before + 3
    assert accepted == "True"
    assert slice_ns(shown) == 100_000


def test_server_has_short_slices_and_exact_timers(tmp_path: Path) -> None:
    with start_server(tmp_path) as server:
        assert slice_ns(Path(f"/proc/{server.process.pid}/sched").read_text()) == 100_000
        assert Path(f"/proc/{server.process.pid}/timerslack_ns").read_text() == "1\n"
