"""Commands with a version that learned own data."""

from pathlib import Path

import pytest

from tests.support.command_line import InklingHere, check_error
from tests.support.networks import make_checkpoint_of
from tests.support.own_data import GARMENTS, write_garments

SEVEN = Path(__file__).parents[3] / "docs" / "digits" / "7.png"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "garments.safetensors"
    path.write_bytes(make_checkpoint_of(GARMENTS, "garments").content)
    return path


def test_predictions_name_the_class(inkling_here: InklingHere, file: Path) -> None:
    assert "7.png: Dress (" in inkling_here("predict", SEVEN, "--checkpoint", file).stdout
    assert '"label": "Dress"' in inkling_here("predict", SEVEN, "--checkpoint", file, "--json").stdout


@pytest.mark.parametrize(
    ("words", "exit_code", "message"),
    [
        (["predict", SEVEN, "--fit", "mnist"], 2, "fit=mnist does not suit version 0"),
        (["read", SEVEN], 2, "numbers are made of digits"),
        (["evaluate"], 1, "measure it on that, with --dataset FOLDER"),
        (["evaluate", "--report", "card.md"], 2, "--report measures how digits are read"),
    ],
)
def test_commands_for_digits_are_refused(
    inkling_here: InklingHere, file: Path, words: list[object], exit_code: int, message: str
) -> None:
    check_error(inkling_here(*words, "--checkpoint", file), exit_code, message)


def test_version_is_measured_on_its_own_data(inkling_here: InklingHere, file: Path, tmp_path: Path) -> None:
    garments = write_garments(tmp_path / "garments")
    lines = inkling_here("evaluate", "--checkpoint", file, "--dataset", garments).stdout.splitlines()
    assert lines[0].startswith("Test Accuracy: 0.1")
    assert lines[-1].startswith("Ankle boot: precision 0.0000, recall 0.0000, 10 images")
    (garments / "classes.txt").write_text("\n".join("abcdefghij"))
    result = inkling_here("evaluate", "--checkpoint", file, "--dataset", garments)
    check_error(result, 1, "and garments has the classes a, b, c, d, e")
