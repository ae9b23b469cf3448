"""`inkling export --format`: files that run without Inkling, written where and as they are asked for."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from inkling.exports.formats import FORMATS, SUFFIXES, Format, export
from inkling.exports.network import PortableNetwork
from inkling.network.checkpoint import Checkpoint
from tests.support.command_line import InklingHere, check_error, inkling
from tests.support.networks import with_random_parameters
from tests.support.processes import without_module


@pytest.mark.parametrize("format_name", FORMATS)
def test_version_is_written_into_this_folder(
    inkling_here: InklingHere, two_versions: list[str], shipped: Checkpoint, format_name: Format
) -> None:
    result = inkling_here("export", "1", "--format", format_name, *two_versions)
    expected = export(PortableNetwork(shipped, 1, "f32"), format_name)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == (
        f"{expected.name}: version 1 as {format_name} with f32 weights, {len(expected.content)} bytes\n"
    )
    assert Path(expected.name).read_bytes() == expected.content
    assert expected.name.endswith(SUFFIXES[format_name])


def write_to(output: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command with its standard output in a file."""
    with output.open("wb") as file:
        command = [sys.executable, "-m", "app.cli", *arguments]
        return subprocess.run(command, stdout=file, stderr=subprocess.PIPE, check=False)


def test_export_goes_to_standard_output(two_versions: list[str], shipped: Checkpoint, tmp_path: Path) -> None:
    arguments = ("export", "1", "--format", "npz", "--weights", "f16", "--out", "-", *two_versions)
    ended = write_to(tmp_path / "one.npz", *arguments)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert (tmp_path / "one.npz").read_bytes() == export(PortableNetwork(shipped, 1, "f16"), "npz").content


def test_file_that_exists_is_replaced_only_by_force(
    inkling_here: InklingHere, two_versions: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "one.npz"
    file.write_text("of somebody")
    arguments = ("export", "1", "--format", "npz", "--out", file, *two_versions)
    check_error(inkling_here(*arguments), 1, f"error: {file} exists; --force replaces it")
    assert file.read_text() == "of somebody"
    assert inkling_here(*arguments, "--force").returncode == 0
    assert file.read_bytes().startswith(b"PK")


def test_force_replaces_no_folder_that_is_not_an_export(
    inkling_here: InklingHere, two_versions: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for format_name, kind in (("savedmodel", "SavedModel"), ("c", "file")):
        result = inkling_here("export", "1", "--format", format_name, "--force", "--out", folder, *two_versions)
        check_error(result, 1, f"{folder} is no {kind}, so --force does not replace it")
    assert folder.is_dir()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "name the FILE for the checkpoint, or a --format"),
        (("--out", "x"), "name the FILE for the checkpoint, or a --format"),
        (("x", "--weights", "f16"), "name the FILE for the checkpoint, or a --format"),
        (("x", "--format", "c"), "x: with --format, name the file by --out"),
        (("--format", "pickle"), "'pickle' is not one of 'onnx', 'savedmodel', 'litert', 'c', 'js', 'npz', 'safetens"),
        (("--format", "c", "--weights", "int8"), "'int8' is not one of 'f32', 'f16'"),
        (("--format", "savedmodel", "--out", "-"), "--out - cannot be a folder, and savedmodel is one; name it"),
    ],
)
def test_wrong_usage_is_named(
    inkling_here: InklingHere, two_versions: list[str], arguments: tuple[str, ...], words: str
) -> None:
    check_error(inkling_here("export", "1", *arguments, *two_versions), 2, words)


def test_version_that_does_not_exist_or_is_damaged_is_named(
    inkling_here: InklingHere, two_versions: list[str], execute: Callable[..., None], tmp_path: Path
) -> None:
    execute("UPDATE checkpoints SET content = substr(content, 1, 1000) WHERE version = 2")
    check_error(inkling_here("export", "7", "--format", "c", *two_versions), 1, "there is no version 7")
    for format_name in ("c", "savedmodel"):
        result = inkling_here("export", "2", "--format", format_name, *two_versions)
        check_error(result, 1, "version 2 is damaged: not a safetensors file")
    assert not list(tmp_path.glob("inkling-*"))


def test_file_that_cannot_be_written_is_named(
    inkling_here: InklingHere, two_versions: list[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    target = tmp_path / "file" / "one.h"
    check_error(inkling_here("export", "1", "--format", "c", "--out", target, *two_versions), 1, f"{tmp_path / 'file'}")


def test_full_disk_is_named(two_versions: list[str]) -> None:
    ended = write_to(Path("/dev/full"), "export", "1", "--format", "npz", "--out", "-", *two_versions)
    assert (ended.returncode, ended.stderr) == (1, b"error: No space left on device\n")


@pytest.mark.parametrize(
    ("package", "format_name", "words"),
    [
        ("onnx", "onnx", "the format onnx needs the package onnx, which is not installed; run pip install '.[onnx]'"),
        ("tensorflow", "litert", "No module named 'tensorflow'. To train or export, run pip install '.[train]'"),
    ],
)
def test_missing_package_is_named(
    two_versions: list[str], tmp_path: Path, package: str, format_name: str, words: str
) -> None:
    environment = without_module(tmp_path, package)
    check_error(inkling("export", "1", "--format", format_name, *two_versions, **environment), 1, words)


def test_weight_beyond_float16_is_refused(
    inkling_here: InklingHere, two_versions: list[str], execute: Callable[..., None], shipped: Checkpoint
) -> None:
    too_large = with_random_parameters(shipped, 1e5)
    execute("UPDATE checkpoints SET content = ? WHERE version = 2", too_large.content)
    for format_name in ("litert", "js"):
        result = inkling_here("export", "2", "--format", format_name, "--weights", "f16", *two_versions)
        check_error(result, 1, "weights/h1 holds", "and float16 ends at 65504; export it with f32 weights")
