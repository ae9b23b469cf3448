"""The command line of `python -m training`: help, wrong arguments, and what is missing."""

import re
from pathlib import Path

import pytest

from inkling.network.recipe import ACCURATE, GENERAL, OVERRIDABLE, TUTORIAL, Recipe
from inkling.settings import StoreSettings
from tests.support.processes import run_training, without_module
from tests.support.runs import store_flags
from training.__main__ import main

# wrong arguments


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "learning_rate"], "--set learning_rate: expected NAME=VALUE, for example --set learning_rate=1"),
        (["--set", "=1"], "--set =1: expected NAME=VALUE, for example --set seed=1"),
        (["--set", "learning_rat=1"], "a recipe has no field 'learning_rat'; did you mean learning_rate?"),
        (["--set", "drawn=0.4"], "a recipe has no field 'drawn'; did you mean synthetic?"),
        (["--set", "momentum=0.9"], "--set momentum=0.9: a recipe has no field 'momentum'; its fields are optimizer, "),
        (["--set", "name=mine"], "--set name=mine: a recipe has no field 'name'; "),
        (["--set", "learning_rate=2"], "--set learning_rate='2': Input should be less than or equal to 1"),
        (["--set", "learning_rate=nan"], "--set learning_rate='nan': "),
        (["--set", "batch_size=many"], "--set batch_size='many': Input should be a valid number"),
        (["--set", "batch_size="], "--set batch_size='': Input should be a valid number"),
        (["--set", "batch_size=0", "--set", "seed=-1"], "--set batch_size='0': "),
        (["--set", "batch_size=0", "--set", "seed=-1"], "--set seed='-1': "),
        (["--set", "display_step=1"], "3000 progress records, the limit is 2000; raise display_step"),
        (["--recipe", "best"], "invalid value for '--recipe': 'best' is not one of 'tutorial', 'accurate', 'general'"),
        (["--publish", "--promote", "maybe"], "invalid value for '--promote': 'maybe' is not one of "),
        (["--promote", "always"], "--promote always needs --publish"),
        (["--set", "feedback=0.2"], "feedback and base need --publish"),
        (["--set", "base=1"], "feedback and base need --publish"),
        (["--epochs", "3"], "no such option: --epochs; see `inkling train --help`"),
        (
            ["worker", "--idle-exit", "soon"],
            "'soon' is not a number of seconds, 0 or more; see `inkling worker --help`",
        ),
        (["worker", "--idle-exit", "-1"], "'-1' is not a number of seconds, 0 or more"),
        (["worker", "--idle-exit", "nan"], "'nan' is not a number of seconds, 0 or more"),
        (["worker", "--set", "seed=1"], "no such option: --set; see `inkling worker --help`"),
        (["serve"], "unexpected extra argument(s) (serve)"),
        (["--eager", "--publish"], "--eager cannot be combined with --publish: the server could not pause, cancel or "),
        (["--eager", "--recipe", "accurate"], "--eager runs the published tutorial, which knows no optimizer=muon, "),
        (
            ["--eager", "--set", "rotation=5"],
            "knows no rotation=5.0; leave out --eager, or start from --recipe tutorial",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_arguments_are_a_usage_error_that_names_them(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("error: ")
    assert output.err.count("\n") == 1
    assert message in output.err


def test_process_with_wrong_arguments_exits_with_2() -> None:
    ended = run_training("--set", "learning_rate=fast")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "learning_rate='fast': Input should be a valid number" in ended.stderr


def test_wrong_variable_is_a_usage_error_that_names_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INKLING_TRAINER_THREADS", "0")
    assert main(["worker"]) == 2
    assert "error: INKLING_TRAINER_THREADS='0': Input should be greater than or equal to 1" in capsys.readouterr().err


# help


def test_help_explains_every_field_of_a_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--help"]) == 0
    words = " ".join(capsys.readouterr().out.split())
    for name in OVERRIDABLE:
        values = f"{getattr(TUTORIAL, name)} {getattr(ACCURATE, name)} {getattr(GENERAL, name)}"
        assert f"{name} {values} {Recipe.model_fields[name].description}" in words


def test_help_lists_both_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    help_text = capsys.readouterr().out
    assert help_text.startswith("Usage: inkling ")
    assert re.search(r"train +Train a network in this terminal.*\n +worker +Train the queued runs", help_text)


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["worker", "--help"]], ids=" ".join)
def test_help_is_shown_where_tensorflow_is_missing(words: list[str], tmp_path: Path) -> None:
    ended = run_training(*words, **without_module(tmp_path, "tensorflow"))
    assert (ended.returncode, ended.stderr) == (0, "")


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


def test_flag_precedes_the_environment(tmp_path: Path) -> None:
    ended = run_training("--mnist-dir", str(tmp_path / "flag"), INKLING_MNIST_DIR=str(tmp_path / "environment"))
    assert f"{tmp_path / 'flag'} lacks" in ended.stderr


@pytest.mark.parametrize("mode", [[], ["--publish"], ["--eager"]], ids=["compiled", "published", "eager"])
def test_out_in_no_folder_is_an_error_before_the_training(
    store: StoreSettings, tmp_path: Path, mode: list[str]
) -> None:
    ended = run_training("--out", str(tmp_path / "nowhere" / "file"), *mode, *store_flags(store))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"error: {tmp_path / 'nowhere'} is not a folder: --out cannot be written there" in ended.stderr
    assert not (store.data_dir / "inkling.db").exists()


def test_out_that_is_a_folder_is_an_error_before_the_training(store: StoreSettings, tmp_path: Path) -> None:
    ended = run_training("--out", str(tmp_path), *store_flags(store))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"error: {tmp_path} is a folder" in ended.stderr


@pytest.mark.parametrize("mode", [[], ["--eager"]], ids=["compiled", "eager"])
def test_without_tensorflow_the_error_says_what_to_install(
    store: StoreSettings, tmp_path: Path, mode: list[str]
) -> None:
    ended = run_training(*mode, *store_flags(store), **without_module(tmp_path, "tensorflow"))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        "error: No module named 'tensorflow'. To train or export, run pip install '.[train]' in the project's folder\n"
    )


@pytest.mark.parametrize("name", ["httpx", "tqdm"])
def test_without_what_a_download_needs_the_error_says_what_to_install(tmp_path: Path, name: str) -> None:
    # given: an installation without the extra `train`, and no data
    ended = run_training("--data-dir", str(tmp_path / "data"), **without_module(tmp_path, name))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("error: ")
    assert "pip install '.[train]'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_registry_that_cannot_be_opened_is_an_error(store: StoreSettings) -> None:
    store.data_dir.mkdir()
    (store.data_dir / "inkling.db").write_bytes(b"not a database, but long enough to have a header" * 100)
    for command in (["--publish"], ["worker"]):
        ended = run_training(*command, *store_flags(store))
        assert (ended.returncode, ended.stdout) == (1, "")
        assert "inkling.db cannot be used: file is not a database; " in ended.stderr
        assert "Traceback" not in ended.stderr
