import re
from pathlib import Path

import pytest

from inkling.model_card.measurements import Amounts
from inkling.model_card.yardstick.scores import read_yardstick
from inkling.network.checkpoint import Checkpoint
from tests.support.command_line import InklingHere, check_error, inkling
from tests.support.digits import write_mnist
from tests.support.processes import without_module


def test_evaluate_prints_the_tutorials_line(small_mnist_dir: Path) -> None:
    result = inkling("evaluate", INKLING_MNIST_DIR=str(small_mnist_dir))
    assert (result.returncode, result.stderr) == (0, "")
    first, interval, loss, single_view, *scores = result.stdout.splitlines()
    match = re.fullmatch(r"Test Accuracy: (0\.\d{6}) \((\d+) of 500\)", first)
    assert match
    assert float(match[1]) == int(match[2]) / 500
    assert interval.startswith("95 % interval: ")
    assert loss.startswith("loss: ")
    assert single_view.startswith("without the views of unsure images: ")
    assert len(scores) == 10


@pytest.mark.mnist
def test_evaluate_measures_what_the_card_says(real_mnist_dir: Path, shipped: Checkpoint) -> None:
    result = inkling("evaluate", "--mnist-dir", real_mnist_dir)
    evaluation = shipped.card.evaluation
    assert f"Test Accuracy: {evaluation.accuracy:f} ({evaluation.correct} of 10000)" in result.stdout


def test_evaluate_says_which_files_are_missing(inkling_here: InklingHere, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = inkling_here("evaluate", "--mnist-dir", tmp_path / "empty")
    check_error(result, 1, "t10k-images-idx3-ubyte", "SHA-256", "INKLING_MNIST")


def test_evaluate_writes_the_model_card(
    inkling_here: InklingHere, monkeypatch: pytest.MonkeyPatch, shipped: Checkpoint, tmp_path: Path
) -> None:
    # given: few images, and few drawings
    mnist = write_mnist(tmp_path / "mnist", train=20, test=20)
    monkeypatch.setattr("inkling.model_card.measurements.ALL", Amounts(20, 2, 10, 1, 1, 4, 1, 1))
    (tmp_path / "other.safetensors").write_bytes(shipped.content)
    # when
    words = ("--all", "--report", tmp_path / "docs" / "card.md", "--compare", tmp_path / "other.safetensors")
    result = inkling_here("evaluate", "--mnist-dir", mnist, *words)
    # then
    assert result.returncode == 0
    assert re.search(r"card\.md: the model card and \d+ pictures, \d+ bytes$", result.stdout.strip())
    assert result.stderr.startswith("scoring 20 test images\ncorruption 0 of 21: none\n")
    assert shipped.digest in (tmp_path / "docs" / "card.md").read_text()
    assert (tmp_path / "docs" / "card" / "confusion.png").is_file()
    # and: its counts can be shown in a later card
    assert read_yardstick(tmp_path / "docs" / "card" / "yardstick.json").pages[0].total == 1


def test_card_that_cannot_be_written_is_an_error_before_anything_is_measured(
    inkling_here: InklingHere, small_mnist_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    words = ("--mnist-dir", small_mnist_dir, "--report", tmp_path / "file" / "card.md")
    check_error(inkling_here("evaluate", *words), 1, str(tmp_path / "file"))


def test_earlier_counts_that_cannot_be_read_are_an_error_before_anything_is_measured(
    inkling_here: InklingHere, small_mnist_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "before.json").write_text('{"pages": 3}')
    words = ("--report", tmp_path / "card.md", "--before", tmp_path / "before.json")
    result = inkling_here("evaluate", "--mnist-dir", small_mnist_dir, *words)
    check_error(result, 1, f"{tmp_path / 'before.json'}: pages: ", "expected the yardstick.json")


def test_comparison_that_cannot_be_read_is_an_error_before_anything_is_measured(
    inkling_here: InklingHere, small_mnist_dir: Path, tmp_path: Path
) -> None:
    words = ("--report", tmp_path / "card.md", "--compare", tmp_path / "none")
    check_error(inkling_here("evaluate", "--mnist-dir", small_mnist_dir, *words), 1, f"{tmp_path / 'none'}: No such")


@pytest.mark.parametrize("name", ["httpx", "tqdm"])
def test_without_what_a_download_needs_the_error_says_what_to_install(tmp_path: Path, name: str) -> None:
    result = inkling("evaluate", "--data-dir", tmp_path / "data", **without_module(tmp_path, name))
    check_error(result, 1, f"{name} is not installed; run pip install '.[train]' in the project's folder")
