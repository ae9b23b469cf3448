"""Commands in pipes, on full disks and at Ctrl-C."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "app.cli"]

linux = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


def run(command: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
    """Run a line of bash, in which "$@" is `inkling` with the arguments."""
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command, "bash", *COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(autouse=True, params=[None, "1"], ids=["buffered", "unbuffered"])
def _buffering(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Output is written at the end, or at once: errors come at different moments."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    if request.param:
        monkeypatch.setenv("PYTHONUNBUFFERED", request.param)


@pytest.mark.parametrize("count", [1, 1000])
def test_pipe_that_is_closed_early_ends_the_command_quietly(files: list[Path], count: int) -> None:
    result = run('"$@" | true', "predict", *[files[0]] * count)
    assert (result.returncode, result.stdout, result.stderr) == (1, "", "")
    result = run('"$@" | head -n 1', "predict", *[files[0]] * count)
    assert result.stdout.startswith(f"{files[0]}: ")
    assert result.stderr == ""


@linux
@pytest.mark.parametrize("arguments", [["predict"], ["predict", "--csv"], ["explain", "--plot", "why.png"], ["--help"]])
@pytest.mark.parametrize("count", [1, 1000])
def test_full_disk_is_an_error_in_one_line(files: list[Path], arguments: list[str], count: int) -> None:
    result = run('"$@" > /dev/full', *arguments, *[files[0]] * (count if arguments[0] == "predict" else 1))
    assert (result.returncode, result.stderr) == (1, "error: No space left on device\n")


@pytest.mark.parametrize("option", [[], ["--csv"]])
def test_closed_streams_are_no_error(files: list[Path], option: list[str]) -> None:
    result = run('"$@" >&-', "predict", files[0], *option)
    assert (result.returncode, result.stderr) == (0, "")
    result = run('"$@" 2>&-', "predict", files[0], "none.png", *option)
    assert result.returncode == 1
    assert str(files[0]) in result.stdout
    assert "error" not in result.stdout


@linux
def test_failure_with_a_full_disk_keeps_its_exit_code(files: list[Path]) -> None:
    result = run('"$@" > /dev/full', "predict", "none.png", files[0])
    assert result.returncode == 1
    assert result.stderr.splitlines()[0] == "error: none.png: No such file or directory"
    assert "Exception" not in result.stderr


@pytest.mark.unmeasured  # coverage hangs at the exit if the signal comes while it holds its lock
def test_interrupted_command_ends_with_130_and_without_a_traceback(files: list[Path]) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it, and so its children
    command = [*COMMAND, "predict", *[str(files[0])] * 20_000]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    process.stdout.readline()  # now it reads files
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "")
