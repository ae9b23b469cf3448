from pathlib import Path

import pytest

from inkling.atomic_file import write_atomically, write_folder_atomically


def test_file_is_written_with_the_folders_above_it(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a" / "b" / "file", b"content")
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"content"
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["file"]


def test_file_that_is_there_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    write_atomically(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"


def test_written_file_may_be_read_by_whoever_may_read_any_new_file(tmp_path: Path) -> None:
    # a checkpoint that only its maker can read cannot be served by another user, as in a container
    (tmp_path / "any").touch()
    write_atomically(tmp_path / "file", b"content")
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "any").stat().st_mode


def test_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        write_atomically(tmp_path / "folder", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "model"
    write_folder_atomically(folder, {"graph": b"1", "variables/index": b"2"})
    write_folder_atomically(folder, {"graph": b"3"})
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["model"]
    assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [("graph", b"3")]


def test_folder_that_cannot_be_completed_leaves_the_old_one(tmp_path: Path) -> None:
    write_folder_atomically(tmp_path / "model", {"graph": b"1"})
    with pytest.raises(OSError, match="File exists"):
        write_folder_atomically(tmp_path / "model", {"graph": b"2", "graph/index": b"3"})
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert (tmp_path / "model" / "graph").read_bytes() == b"1"
