import json
import os
import sys
from pathlib import Path

import pytest

from tests.support.command_line import InklingHere, inkling


@pytest.mark.parametrize("command", ["train", "worker"])
@pytest.mark.parametrize("arguments", [[], ["--help"], ["--set", "seed=1", "--", "-x", ""], ["-h", "--port=1", "a b"]])
def test_arguments_reach_the_trainer_untouched(tmp_path: Path, command: str, arguments: list[str]) -> None:
    (tmp_path / "training.py").write_text("import json, sys; print(json.dumps(sys.argv[1:])); sys.exit(7)")
    result = inkling(command, *arguments)
    assert (result.returncode, result.stderr) == (7, "")
    assert json.loads(result.stdout) == [command, *arguments]


@pytest.mark.parametrize("command", ["train", "worker"])
def test_process_becomes_the_trainer(monkeypatch: pytest.MonkeyPatch, inkling_here: InklingHere, command: str) -> None:
    started: list[object] = []
    monkeypatch.setattr(os, "execv", lambda *arguments: started.extend(arguments))
    inkling_here(command, "--out", "x")
    assert started == [sys.executable, [sys.executable, "-m", "training", command, "--out", "x"]]


def test_trainer_explains_its_own_commands() -> None:
    result = inkling("train", "--help")
    assert result.returncode == 0
    assert "learning_rate" in result.stdout
    assert inkling("train", "--set", "nonsense=1").returncode == 2
    assert inkling("worker", "--help").returncode == 0
