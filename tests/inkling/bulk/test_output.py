"""The output of a job: what exists is kept, what was killed continues, and what cannot be written is said."""

import resource
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from inkling.bulk import output as output_module
from inkling.bulk.formats import encoder_of
from inkling.bulk.output import Output
from inkling.errors import BulkError

SETTINGS = {"fit": "strict", "column": "any"}


def open_output(path: Path, *, overwrite: bool = False, **settings: str) -> Output:
    return Output(path, encoder_of("csv"), {**SETTINGS, **settings}, overwrite=overwrite)


def names_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


@pytest.fixture
def killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An output of which one unit is saved, and a part of the next was written."""
    monkeypatch.setattr(output_module, "SAVE_S", -1)
    path = tmp_path / "out.csv"
    with closing(open_output(path)) as output:
        output.append(b"first\n", "1", images=1, errors=0)
        monkeypatch.setattr(output_module, "SAVE_S", 1000)
        output.append(b"sec", "2", images=1, errors=1)
    return path


def test_output_takes_its_name_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    with closing(open_output(path)) as output:
        output.append(b"row\n", "1", images=1, errors=0)
        assert not path.exists()
        output.finish()
    assert path.read_bytes().endswith(b",error\nrow\n")
    assert names_in(tmp_path) == ["out.csv"]


def test_killed_output_continues_after_the_saved_unit(killed: Path) -> None:
    with closing(open_output(killed)) as output:
        assert (output.state.units, output.state.images, output.state.errors) == (1, 1, 0)
        output.append(b"second\n", "2", images=1, errors=1)
        output.finish()
    assert killed.read_bytes().endswith(b",error\nfirst\nsecond\n")


def test_output_that_exists_is_kept_unless_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("kept")
    with pytest.raises(BulkError, match=r"out.csv exists; --overwrite replaces it"):
        open_output(path)
    assert names_in(tmp_path) == ["out.csv"]
    with closing(open_output(path, overwrite=True)) as output:
        assert path.read_text() == "kept"  # until the new one is complete
        output.finish()
    assert path.read_text().startswith("file,row,digit")


def test_other_options_do_not_continue_a_killed_job(killed: Path) -> None:
    with pytest.raises(
        BulkError, match=r"was begun with other options \(fit was strict, is mnist\); give the same, or"
    ):
        open_output(killed, fit="mnist")
    with closing(open_output(killed, fit="mnist", overwrite=True)) as output:
        assert output.state.units == 0


def test_damaged_state_is_not_continued(killed: Path) -> None:
    state = killed.with_name("out.csv.partial.json")
    with killed.with_name("out.csv.partial").open("r+b") as partial:
        partial.truncate(10)
    with pytest.raises(BulkError, match=r"out.csv.partial is shorter than its state says; --overwrite"):
        open_output(killed)
    state.write_text("{")
    with pytest.raises(BulkError, match=r"out.csv.partial.json is damaged; --overwrite starts from the beginning"):
        open_output(killed)


def test_two_processes_do_not_write_one_output(tmp_path: Path) -> None:
    with (
        closing(open_output(tmp_path / "out.csv")),
        pytest.raises(BulkError, match=r"another process is writing .*out.csv"),
    ):
        open_output(tmp_path / "out.csv", overwrite=True)


def test_output_needs_a_folder_and_a_name(tmp_path: Path) -> None:
    with pytest.raises(BulkError, match="none is not a folder: the output cannot be written there"):
        open_output(tmp_path / "none" / "out.csv")
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(BulkError, match=r"a.csv is a folder: the output needs the name of a file"):
        open_output(tmp_path / "a.csv")


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Have writes beyond a size fail, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_full_disk_keeps_what_was_saved(killed: Path) -> None:
    words = r"out.csv cannot be written: File too large; the same command continues after 2 images"
    with closing(open_output(killed)) as output, largest_file(output.state.size + 100):
        output.append(bytes(50), "2", images=1, errors=0)
        with pytest.raises(BulkError, match=words):
            output.append(bytes(51), "3", images=1, errors=0)
    with closing(open_output(killed)) as output, largest_file(10), pytest.raises(BulkError, match=words):
        output.finish()
    with closing(open_output(killed)) as output:
        output.append(b"third\n", "3", images=1, errors=1)
        output.finish()
    assert killed.read_bytes().endswith(b",error\nfirst\n" + bytes(50) + b"third\n")


def test_header_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with largest_file(10), pytest.raises(BulkError, match=r"cannot be written: .* continues after 0 images"):
        open_output(tmp_path / "out.csv")
