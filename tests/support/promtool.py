"""Prometheus' own checker of metrics and rules."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def run_promtool(*arguments: str | Path, text: str | None = None) -> str:
    """Run promtool, which must find nothing wrong; return what it says. Without it, skip the test, but not in CI."""
    program = shutil.which("promtool")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("promtool is not installed: apt-get install prometheus")
        pytest.skip("needs promtool: apt-get install prometheus")
    result = subprocess.run([program, *arguments], input=text, capture_output=True, text=True, timeout=60, check=False)
    said = result.stdout + result.stderr
    assert result.returncode == 0, said
    return said
