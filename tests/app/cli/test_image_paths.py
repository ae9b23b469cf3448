import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli.image_paths import expand
from tests.support.command_line import InklingHere, check_error


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of image files and others, which are never opened."""
    folder = tmp_path / "scans"
    (folder / "more").mkdir(parents=True)
    (folder / "folder.png").mkdir()
    for name in ("b.PNG", "a.png", "c.jpeg", "notes.txt", ".hidden.png", "more/d.webp"):
        (folder / name).touch()
    return folder


def test_folder_means_the_image_files_directly_in_it_sorted(folder: Path) -> None:
    assert expand(folder) == [folder / "a.png", folder / "b.PNG", folder / "c.jpeg"]


def test_pattern_that_the_shell_did_not_expand_means_the_files_that_match(folder: Path) -> None:
    assert expand(folder / "*.p*") == [folder / "a.png"]
    assert expand(folder / "[ab].*") == [folder / "a.png", folder / "b.PNG"]
    assert expand(folder / "**" / "*.webp") == [folder / "more" / "d.webp"]


def test_file_means_itself_even_if_its_name_is_a_pattern(folder: Path) -> None:
    (folder / "[a].png").touch()
    for name in ("[a].png", "notes.txt", "missing.png"):
        assert expand(folder / name) == [folder / name]


def test_folder_or_pattern_without_image_files_is_an_error(
    inkling_here: InklingHere, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    check_error(inkling_here("predict", tmp_path / "empty"), 1, f"{tmp_path / 'empty'} holds no image file (.png, ")
    check_error(inkling_here("predict", folder / "*.gif"), 1, f"no file matches {folder / '*.gif'}")


def test_other_arguments_are_read_beside_an_empty_folder(
    inkling_here: InklingHere, files: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    result = inkling_here("predict", tmp_path / "empty", *files[:2])
    assert result.returncode == 1
    assert result.stdout == inkling_here("predict", *files[:2]).stdout


def test_folder_is_read_as_its_files_are(inkling_here: InklingHere, files: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "digits"
    folder.mkdir()
    copies = [Path(shutil.copy(file, folder)) for file in files]
    expected = inkling_here("predict", *copies).stdout
    for argument in (folder, folder / "*.png"):
        assert inkling_here("predict", argument).stdout == expected


@pytest.mark.parametrize("option", [[], ["--csv"], ["--json"]])
def test_name_that_is_not_utf8_is_printed_byte_for_byte(files: list[Path], tmp_path: Path, option: list[str]) -> None:
    name = tmp_path / os.fsdecode(b"a\xffb.png")
    shutil.copy(files[3], name)
    result = subprocess.run(
        [sys.executable, "-m", "app.cli", "predict", name, *option], capture_output=True, timeout=60, check=True
    )
    expected = os.fsencode(name) if option != ["--json"] else rb"a\udcffb.png"
    assert expected in result.stdout
    assert result.stderr == b""
