"""The names of input files: folders, patterns, URLs and lists."""

import io
import zipfile
from pathlib import Path

import pytest

from inkling.bulk.inputs import MAX_NAME_BYTES, expand, read_names
from inkling.errors import BulkError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    names = ("b.png", "a.JPG", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", "x.parquet", ".c.png", "notes.txt")
    for name in (*names, "deep/d.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    return tmp_path


def names_of(argument: object) -> list[str]:
    return [name.rpartition("/")[2] for name in expand(str(argument))]


def test_folders_and_patterns_are_files_sorted_by_name(folder: Path) -> None:
    inside = ["a.JPG", "b.png", "t10k-images-idx3-ubyte", "x.parquet"]
    assert names_of(folder) == inside
    assert names_of(folder.as_uri()) == inside
    assert names_of(folder / "**/*.png") == ["b.png", "d.png"]
    assert names_of(f"{folder.as_uri()}/*/d.png") == ["d.png"]
    assert expand(str(folder / "b.png")) == [str(folder / "b.png")]
    assert expand((folder / "b.png").as_uri()) == [(folder / "b.png").as_uri()]
    assert expand((folder / "none.png").as_uri()) == [(folder / "none.png").as_uri()]  # its reader says so


def test_members_of_an_archive_are_files(folder: Path) -> None:
    with zipfile.ZipFile(folder / "digits.zip", "w") as archive:
        archive.writestr("in/1.png", b"")
        archive.writestr("2.png", b"")
    assert expand(f"zip://**/*.png::{folder}/digits.zip") == [
        f"zip://{name}::{folder}/digits.zip" for name in ("2.png", "in/1.png")
    ]


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("none.png", "none.png: No such file or directory"),
        ("*.none", r"no file matches \*.none"),
        ("empty", r"empty holds no image file \(.png, .* and no file of images \(.parquet"),
        ("file://{}/empty", "empty holds no image file"),
        ("file://{}/*.none", "no file matches file:"),
        ("nowhere://x/y", "nowhere://x/y cannot be read: Protocol not known: nowhere"),
        ("zip://*.png::file://{}/a.JPG", "zip://.* cannot be"),
    ],
)
def test_argument_that_means_no_file(folder: Path, monkeypatch: pytest.MonkeyPatch, argument: str, words: str) -> None:
    (folder / "empty").mkdir()
    monkeypatch.chdir(folder)
    with pytest.raises(BulkError, match=words):
        expand(argument.format(folder))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a.png\nb c.png\r\n\n[d].png", ["a.png", "b c.png", "[d].png"]),
        (b"a.png\0b\nc.png\0", ["a.png", "b\nc.png"]),
        (b"s3://bucket/a.parquet\n\xff.png\n", ["s3://bucket/a.parquet", "\udcff.png"]),
        (b"", []),
        (b"x.png\n" * 30_000, ["x.png"] * 30_000),
    ],
)
def test_list_has_one_name_per_line_or_ends_them_with_null(content: bytes, expected: list[str]) -> None:
    assert list(read_names(io.BufferedReader(io.BytesIO(content)))) == expected


def test_list_of_something_else_is_refused() -> None:
    content = io.BufferedReader(io.BytesIO(bytes([7]) * 3 * MAX_NAME_BYTES))
    with pytest.raises(BulkError, match="a line of more than 65536 bytes, expected a name"):
        list(read_names(content))  # type: ignore[arg-type]
