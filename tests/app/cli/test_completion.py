import shutil
import subprocess
import sys

import pytest

from tests.support.command_line import inkling


def complete(line: str) -> list[str]:
    """Return what bash would offer after these words; the last one is incomplete."""
    words = line.split(" ")
    environment = {"_INKLING_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    return inkling(**environment).stdout.split()


def test_commands_are_completed() -> None:
    assert complete("inkling ver") == ["versions", "verify"]


def test_options_are_completed() -> None:
    assert complete("inkling predict --fi") == ["--fit"]
    assert complete("inkling serve --no-a") == ["--no-access-log"]


def test_values_are_completed() -> None:
    assert complete("inkling predict --fit m") == ["mnist"]
    assert complete("inkling serve --trainer ") == ["process", "external"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_completion_of_the_current_shell_is_shown() -> None:
    command = f"{sys.executable} -m app.cli --show-completion; exit $?"  # not the last word: bash would become Python
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert "_INKLING_COMPLETE=complete_bash" in result.stdout
