import json
from pathlib import Path

import pytest
from PIL import Image

from tests.support.command_line import InklingHere, check_error
from tests.support.numbers import stack_lines, write


@pytest.fixture
def number(tmp_path: Path) -> Path:
    file = tmp_path / "number.png"
    Image.fromarray(stack_lines([write("2026"), write("-3.5")])).save(file)
    return file


def test_read_prints_every_line(inkling_here: InklingHere, number: Path) -> None:
    result = inkling_here("read", number)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"{number}: 2026\n{number}: -3.5\n"


def test_read_prints_json(inkling_here: InklingHere, number: Path) -> None:
    fields = json.loads(inkling_here("read", "--json", number).stdout)
    assert (fields["file"], fields["text"], fields["warnings"]) == (str(number), "2026\n-3.5", [])
    first, second = fields["lines"]
    assert [digit["digit"] for digit in first["digits"]] == [2, 0, 2, 6]
    assert [mark["mark"] for mark in second["marks"]] == ["-", "."]
    assert all(digit["confidence"] == max(digit["probabilities"]) for digit in first["digits"])


def test_read_warns_of_digits_that_touch(inkling_here: InklingHere, tmp_path: Path) -> None:
    file = tmp_path / "touching.png"
    Image.fromarray(write("33", gap=-2)).save(file)
    result = inkling_here("read", "--json", file)
    assert result.stderr.count("touches another digit") == 2
    assert len(json.loads(result.stdout)["lines"][0]["digits"][0]["warnings"]) == 1


def test_read_goes_on_after_a_file_without_numbers(inkling_here: InklingHere, number: Path, tmp_path: Path) -> None:
    blank, none = tmp_path / "blank.png", tmp_path / "none.png"
    Image.new("L", (60, 60)).save(blank)
    result = inkling_here("read", blank, none, number)
    assert result.returncode == 1
    first, second = result.stderr.splitlines()
    assert first.startswith(f"error: {blank}: the picture is blank")
    assert second == f"error: {none}: No such file or directory"
    assert result.stdout.startswith(f"{number}: 2026\n")


def test_predict_names_read_for_a_number(inkling_here: InklingHere, number: Path) -> None:
    check_error(inkling_here("predict", "--fit", "mnist", number), 1, "; `inkling read` reads numbers")
