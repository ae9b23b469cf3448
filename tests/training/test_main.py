import os
import pty
import re
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from inkling.network.checkpoint import load
from inkling.network.recipe import ACCURATE, OVERRIDABLE, TUTORIAL, Recipe
from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from tests.support.networks import make_checkpoint
from tests.support.processes import DEADLINE_S, run_training, start_training, wait_until, without_module
from training.__main__ import main

LINE = r"step: {step}, loss: \d+\.\d{{6}}, accuracy: [01]\.\d{{6}}"
SMALL = {"training_steps": 50, "display_step": 20, "validation_size": 500}
ENDLESS = {"training_steps": 1_000_000, "display_step": 500, "batch_size": 1, "validation_size": 500}


def sets(overrides: dict[str, int]) -> list[str]:
    return [word for name, value in overrides.items() for word in ("--set", f"{name}={value}")]


def where(store: StoreSettings) -> list[str]:
    return ["--data-dir", str(store.data_dir), "--mnist-dir", str(store.mnist_dir)]


# training without a registry


@pytest.mark.train
def test_training_prints_the_tutorials_lines_and_writes_the_checkpoint(store: StoreSettings, tmp_path: Path) -> None:
    # when: with `train` left out, as `python -m training` is called
    out = tmp_path / "digits.safetensors"
    ended = run_training(*sets(SMALL), "--set", "seed=3", "--out", str(out), *where(store))
    # then
    assert ended.returncode == 0, ended.stderr
    first, second, last = ended.stdout.splitlines()
    assert re.fullmatch(LINE.format(step=20), first)
    assert re.fullmatch(LINE.format(step=40), second)
    checkpoint = load(out.read_bytes())
    assert last == f"Test Accuracy: {checkpoint.card.evaluation.accuracy:f}"
    assert checkpoint.card.recipe == TUTORIAL.with_overrides({**SMALL, "seed": 3})
    assert checkpoint.digest in ended.stderr
    assert not (store.data_dir / "inkling.db").exists()


@pytest.mark.train
def test_training_on_a_terminal_shows_a_bar(store: StoreSettings) -> None:
    # given: standard output is a terminal, standard error is not
    terminal, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 120))
    process = subprocess.Popen(
        [sys.executable, "-m", "training", "train", *sets(SMALL), *where(store)],
        stdout=theirs,
        stderr=subprocess.PIPE,
    )
    os.close(theirs)
    # when
    shown = read_to_the_end(terminal)
    _, error = process.communicate(timeout=DEADLINE_S)
    # then
    assert process.returncode == 0, error
    assert "100%" in shown
    assert "50/50" in shown
    assert re.search(r"accuracy=0\.\d{3}, loss=\d+\.\d", shown)
    assert "step: " not in shown
    assert re.search(r"Test Accuracy: 0\.\d{6}\r\n$", shown)
    assert b"not kept: --out FILE writes the checkpoint, --publish serves it" in error


def read_to_the_end(terminal: int) -> str:
    shown = b""
    while True:
        try:
            read = os.read(terminal, 4096)
        except OSError:  # Linux says so when the other side is closed
            read = b""
        if not read:
            os.close(terminal)
            return shown.decode()
        shown += read


# words that are wrong


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--set", "learning_rate"],
            "--set learning_rate: expected NAME=VALUE with a name of optimizer, learning_rate",
        ),
        (["--set", "momentum=0.9"], "--set momentum=0.9: expected NAME=VALUE with a name of "),
        (["--set", "name=mine"], "--set name=mine: expected NAME=VALUE"),
        (["--set", "=1"], "--set =1: expected NAME=VALUE"),
        (["--set", "learning_rate=2"], "learning_rate='2': Input should be less than or equal to 1"),
        (["--set", "learning_rate=nan"], "learning_rate='nan': "),
        (["--set", "batch_size=many"], "batch_size='many': Input should be a valid integer"),
        (["--set", "batch_size="], "batch_size='': Input should be a valid integer"),
        (["--set", "batch_size=0", "--set", "seed=-1"], "batch_size='0': "),
        (["--set", "batch_size=0", "--set", "seed=-1"], "seed='-1': "),
        (["--set", "display_step=1"], "3000 lines of progress, at most 2000; raise display_step"),
        (["--recipe", "best"], "argument --recipe: invalid choice: 'best'"),
        (["--promote", "maybe"], "argument --promote: invalid choice: 'maybe'"),
        (["--epochs", "3"], "unrecognized arguments: --epochs 3"),
        (["worker", "--idle-exit", "soon"], "argument --idle-exit: invalid float value: 'soon'"),
        (["worker", "--set", "seed=1"], "unrecognized arguments: --set seed=1"),
        (["serve"], "unrecognized arguments: serve"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_words_are_a_usage_error_that_names_them(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_process_with_wrong_words_exits_with_2() -> None:
    ended = run_training("--set", "learning_rate=fast")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "learning_rate='fast': Input should be a valid number" in ended.stderr


def test_help_explains_every_field_of_a_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["train", "--help"])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    for name in OVERRIDABLE:
        field = Recipe.model_fields[name]
        values = f"(tutorial: {getattr(TUTORIAL, name)}, accurate: {getattr(ACCURATE, name)})"
        assert re.search(rf"{name} +{re.escape(f'{field.description} {values}')}", said)


def test_help_names_both_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert re.search(r"train +train the network\n +worker +train the registry's queued runs", capsys.readouterr().out)


# what is missing


def test_missing_data_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    ended = run_training("--mnist-dir", str(tmp_path / "nowhere"))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(f"error: {tmp_path / 'nowhere'} lacks train-images-idx3-ubyte, ")
    assert "INKLING_MNIST_DIR" in ended.stderr


@pytest.mark.usefixtures("no_network")
def test_missing_data_and_network_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    ended = run_training("--data-dir", str(tmp_path / "data"))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("error: MNIST cannot be downloaded from https://")
    assert f"into {tmp_path / 'data' / 'mnist'} or into the folder that INKLING_MNIST_DIR names" in ended.stderr


def test_settings_come_from_the_environment_too(tmp_path: Path) -> None:
    ended = run_training(INKLING_MNIST_DIR=str(tmp_path / "nowhere"))
    assert ended.returncode == 1
    assert f"{tmp_path / 'nowhere'} lacks" in ended.stderr


def test_flag_goes_before_the_environment(tmp_path: Path) -> None:
    ended = run_training("--mnist-dir", str(tmp_path / "flag"), INKLING_MNIST_DIR=str(tmp_path / "environment"))
    assert f"{tmp_path / 'flag'} lacks" in ended.stderr


@pytest.mark.parametrize("publish", [[], ["--publish"]], ids=["alone", "published"])
def test_out_in_no_folder_is_an_error_before_the_training(
    store: StoreSettings, tmp_path: Path, publish: list[str]
) -> None:
    ended = run_training("--out", str(tmp_path / "nowhere" / "file"), *publish, *where(store))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"error: {tmp_path / 'nowhere'} is not a folder: --out cannot be written there" in ended.stderr
    assert not (store.data_dir / "inkling.db").exists()


def test_out_that_is_a_folder_is_an_error_before_the_training(store: StoreSettings, tmp_path: Path) -> None:
    ended = run_training("--out", str(tmp_path), *where(store), *sets({**SMALL, "training_steps": 1}))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"error: {tmp_path} is a folder" in ended.stderr


def test_without_tensorflow_the_error_says_what_to_install(store: StoreSettings, tmp_path: Path) -> None:
    ended = run_training(*where(store), **without_module(tmp_path, "tensorflow"))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("error: No module named 'tensorflow'. Training needs TensorFlow: pip install")


@pytest.mark.parametrize("name", ["httpx", "tqdm"])
def test_without_what_a_download_needs_the_error_says_what_to_install(tmp_path: Path, name: str) -> None:
    # given: an installation without the extra `train`, and no data
    ended = run_training("--data-dir", str(tmp_path / "data"), **without_module(tmp_path, name))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("error: ")
    assert "pip install" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_registry_that_cannot_be_opened_is_an_error(tmp_path: Path, store: StoreSettings) -> None:
    store.data_dir.mkdir()
    (store.data_dir / "inkling.db").write_bytes(b"not a database, but long enough to have a header" * 100)
    for command in (["--publish"], ["worker"]):
        ended = run_training(*command, *where(store))
        assert (ended.returncode, ended.stdout) == (1, "")
        assert "error: " in ended.stderr
        assert "file is not a database" in ended.stderr
        assert "Traceback" not in ended.stderr


# training with a registry


@pytest.mark.train
def test_published_training_is_a_run_with_a_version(store: StoreSettings, registry: Registry, tmp_path: Path) -> None:
    # given: a served version
    registry.versions.add_first(make_checkpoint())
    # when
    out = tmp_path / "digits.safetensors"
    ended = run_training("--publish", "--promote", "always", "--out", str(out), *sets(SMALL), *where(store))
    # then
    assert ended.returncode == 0, ended.stderr
    run, served = registry.runs.get(1), registry.versions.served()
    assert (run.state, run.version, run.promote) == ("succeeded", 2, "always")
    assert served is not None
    assert served.version == 2
    assert out.read_bytes() == registry.versions.checkpoint(2)
    *lines, last = ended.stdout.splitlines()
    assert all(re.fullmatch(LINE.format(step=step), line) for step, line in zip((20, 40), lines, strict=True))
    assert last == f"Test Accuracy: {registry.versions.get(2).evaluation.accuracy:f}"
    assert "version 2: the promote policy is always" in ended.stderr


def test_training_waits_its_turn_when_another_run_is_trained(store: StoreSettings, registry: Registry) -> None:
    registry.runs.queue(TUTORIAL, "never", max_queued=1)
    assert registry.runs.claim(600, "another") is not None
    ended = run_training("--publish", *where(store))
    assert ended.returncode == 0
    assert "run 2 is queued: another run is being trained, and its trainer will take it next" in ended.stdout
    assert registry.runs.get(2).state == "queued"


def test_published_training_without_data_is_a_failed_run(store: StoreSettings, registry: Registry) -> None:
    ended = run_training("--publish", "--data-dir", str(store.data_dir), "--mnist-dir", str(store.data_dir))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "error: run 1 failed: " in ended.stderr
    assert registry.runs.get(1).error_type == "dataset"


@pytest.mark.train
def test_published_training_that_is_interrupted_is_cancelled(
    store: StoreSettings, registry: Registry, tmp_path: Path
) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it, and so its children
    with start_training(tmp_path, "--publish", *sets(ENDLESS), *where(store)) as training:
        wait_until(lambda: registry.runs.newest(1) and registry.runs.get(1).step, "the run has made its first steps")
        training.process.send_signal(signal.SIGINT)
        assert training.end() == 1
    assert training.log.endswith("stopped\n")
    assert "Traceback" not in training.log
    assert (registry.runs.get(1).state, registry.versions.newest(10)) == ("cancelled", [])


@pytest.mark.train
def test_published_training_that_a_client_cancels_ends(
    store: StoreSettings, registry: Registry, tmp_path: Path
) -> None:
    with start_training(tmp_path, "--publish", *sets(ENDLESS), *where(store)) as training:
        wait_until(lambda: registry.runs.newest(1) and registry.runs.get(1).step, "the run has made its first steps")
        registry.runs.cancel(1)
        assert training.end() == 1
    assert "error: run 1 cancelled" in training.log
    assert "run 1 cancelled: None" not in training.log
    assert "Traceback" not in training.log
