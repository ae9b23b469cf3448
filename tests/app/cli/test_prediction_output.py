import csv
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.cli.progress import Progress
from inkling.network.checkpoint import Checkpoint
from inkling.network.classifier import Classifier
from tests.support.command_line import InklingHere
from tests.support.networks import with_digit_probe


@pytest.fixture
def faint(tmp_path: Path, digits: NDArray[np.uint8]) -> Path:
    """A picture of a 7 of low contrast, in a file whose name needs quotes."""
    path = tmp_path / 'faint, "7".png'
    Image.fromarray((np.pad(digits[7], 20) // 12).astype(np.uint8)).save(path)
    return path


def test_json_is_one_object_per_image(
    inkling_here: InklingHere, files: list[Path], digits: NDArray[np.uint8], classifier: Classifier
) -> None:
    result = inkling_here("predict", "--json", *files)
    assert (result.returncode, result.stderr) == (0, "")
    probabilities = classifier.probabilities(digits[: len(files)])
    for line, file, row in zip(result.stdout.splitlines(), files, probabilities, strict=True):
        prediction = json.loads(line)
        assert list(prediction)[:4] == ["file", "digit", "confidence", "probabilities"]
        assert prediction["file"] == str(file)
        assert prediction["digit"] == row.argmax()
        assert np.float32(prediction["confidence"]) == row.max()
        np.testing.assert_array_equal(np.float32(prediction["probabilities"]), row)


def test_json_with_fit_mnist_says_how_the_picture_was_normalized(inkling_here: InklingHere, faint: Path) -> None:
    result = inkling_here("predict", "--json", "--fit", "mnist", faint)
    normalized = json.loads(result.stdout)["normalized"]
    assert list(normalized) == ["is_untouched", "inverted", "box", "background_removed", "warnings"]
    assert len(normalized["box"]) == 4
    assert f"warning: {faint}: {normalized['warnings'][0]}\n" == result.stderr


def test_image_unlike_mnist_is_warned_of(inkling_here: InklingHere, tmp_path: Path, digits: NDArray[np.uint8]) -> None:
    path = tmp_path / "inverted.png"
    Image.fromarray(255 - digits[7]).save(path)
    result = inkling_here("predict", "--json", path)
    (warning,) = json.loads(result.stdout)["warnings"]
    assert warning.startswith("dark strokes on a light background")
    assert (result.returncode, result.stderr) == (0, f"warning: {path}: {warning}\n")


def test_csv_is_a_table_with_a_header(
    inkling_here: InklingHere, files: list[Path], digits: NDArray[np.uint8], classifier: Classifier
) -> None:
    result = inkling_here("predict", "--csv", *files)
    assert (result.returncode, result.stderr) == (0, "")
    header, *rows = csv.reader(io.StringIO(result.stdout))
    assert header == ["file", "digit", "confidence", *(f"p{digit}" for digit in range(10)), "warnings", "is_digit"]
    for row, file, expected in zip(rows, files, classifier.probabilities(digits[: len(files)]), strict=True):
        assert row[:2] == [str(file), str(expected.argmax())]
        np.testing.assert_array_equal(np.array(row[3:13], np.float32), expected)
        assert (np.float32(row[2]), row[13]) == (expected.max(), "")


def test_csv_quotes_names_and_holds_the_warnings(inkling_here: InklingHere, faint: Path) -> None:
    _, row = csv.reader(io.StringIO(inkling_here("predict", "--csv", "--fit", "mnist", faint).stdout))
    assert row[0] == str(faint)
    assert "the contrast is" in row[13]


@pytest.mark.parametrize("bias", [1e3, -1e3, None])
def test_every_output_says_whether_it_is_a_digit_if_the_version_can(
    inkling_here: InklingHere, files: list[Path], tmp_path: Path, checkpoint: Checkpoint, bias: float | None
) -> None:
    is_digit = None if bias is None else bias > 0
    probed = checkpoint if bias is None else with_digit_probe(checkpoint, bias)
    (tmp_path / "probed.safetensors").write_bytes(probed.content)
    named = [files[0], "--checkpoint", tmp_path / "probed.safetensors"]
    text = inkling_here("predict", *named).stdout.strip()
    assert text.endswith(", but it looks like no digit" if is_digit is False else ")")
    prediction = json.loads(inkling_here("predict", "--json", *named).stdout)
    assert (prediction.get("is_digit"), "digit_score" in prediction) == (is_digit, is_digit is not None)
    _, row = csv.reader(io.StringIO(inkling_here("predict", "--csv", *named).stdout))
    assert row[14] == {True: "true", False: "false", None: ""}[is_digit]
    assert json.loads(inkling_here("predict", "--json", *named, "--digit-threshold", "0").stdout).get("is_digit") in (
        (True, None)[is_digit is None],
    )


@pytest.mark.parametrize("option", ["--json", "--csv"])
def test_files_that_fail_are_on_standard_error_only(
    inkling_here: InklingHere, files: list[Path], tmp_path: Path, option: str
) -> None:
    result = inkling_here("predict", option, tmp_path / "none.png", files[0])
    assert result.returncode == 1
    assert result.stderr == f"error: {tmp_path / 'none.png'}: No such file or directory\n"
    assert result.stdout == inkling_here("predict", option, files[0]).stdout


# the progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_shown_on_a_terminal_and_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    progress = Progress(300)
    progress.show(12)
    assert terminal.getvalue() == "\r12 of 300 files"
    progress.show(13)  # too soon
    assert terminal.getvalue() == "\r12 of 300 files"
    progress.clear()
    progress.clear()
    assert terminal.getvalue() == f"\r12 of 300 files\r{' ' * 15}\r"


def test_progress_is_not_shown_beside_results_on_the_same_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(sys, "stdout", terminal)
    Progress(300).show(12)
    assert terminal.getvalue() == ""


def test_progress_makes_room_for_an_error(
    monkeypatch: pytest.MonkeyPatch, inkling_here: InklingHere, files: list[Path], tmp_path: Path
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    inkling_here("predict", tmp_path / "none.png", files[0])
    counter = "0 of 2 files"
    assert terminal.getvalue().startswith(f"\r{counter}\r{' ' * len(counter)}\rerror: ")
