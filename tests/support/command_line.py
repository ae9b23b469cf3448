"""The command `inkling` for tests: in a process of its own, or in this one."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from app.cli import main

Result = subprocess.CompletedProcess[str]
InklingHere = Callable[..., Result]


def inkling(*arguments: object, **environment: str) -> Result:
    """Run a command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def run_here(capsys: pytest.CaptureFixture[str], *arguments: object) -> Result:
    """Run a command in this process: ten times faster."""
    words = [str(word) for word in arguments]
    exit_code = main(words)
    return subprocess.CompletedProcess(words, exit_code, *capsys.readouterr())


def check_error(result: Result, exit_code: int, *words: str) -> None:
    """Check that a command printed one line with these words on standard error, and nothing else."""
    assert result.returncode == exit_code, result.stderr
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    for word in words:
        assert word in result.stderr
