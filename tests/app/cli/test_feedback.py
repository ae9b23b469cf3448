"""`inkling feedback`."""

from pathlib import Path

import pytest

from inkling.registry.records import Answered
from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from tests.support.command_line import InklingHere, check_error

SEVEN = Answered(bytes(784), version=1, digit=7, confidence=0.75, is_digit=True)


@pytest.fixture
def filled(store: StoreSettings, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A registry of three corrections, which the commands use."""
    monkeypatch.setenv("INKLING_DATA_DIR", str(store.data_dir))
    registry.corrections.add([SEVEN, SEVEN], [1, None], "anna")
    registry.corrections.add([SEVEN], [7])
    return registry


def test_corrections_are_listed(inkling_here: InklingHere, filled: Registry) -> None:
    filled.corrections.add_imported([bytes(784)], [3], [None])
    result = inkling_here("feedback", "list")
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert len(lines) == 4
    assert "imported" in lines[0]
    assert lines[2].split()[:6] == ["2", "none", "version", "1", "read", "7"]
    assert lines[3].endswith("anna")


@pytest.mark.parametrize(("kind", "count"), [("png", 3), ("idx", 2)])
def test_export_is_imported_again(
    inkling_here: InklingHere, filled: Registry, tmp_path: Path, kind: str, count: int
) -> None:
    folder = str(tmp_path / "out")
    exported = inkling_here("feedback", "export", folder, "--format", kind)
    assert f"{count} corrections" in exported.stdout
    assert inkling_here("feedback", "delete", "--all").stdout == "3 corrections are deleted\n"
    assert inkling_here("feedback", "import", folder, "--source", "bo").stdout == f"{folder}: {count} corrections\n"
    corrections = filled.corrections.all()
    assert {correction.source for correction in corrections} == {"bo"}
    assert len(corrections) == count


def test_unreadable_files_are_left_out_only_if_asked_for(
    inkling_here: InklingHere, filled: Registry, tmp_path: Path
) -> None:
    inkling_here("feedback", "export", str(tmp_path))
    (tmp_path / "1" / "broken.png").write_bytes(b"no picture")
    refused = inkling_here("feedback", "import", str(tmp_path))
    assert refused.returncode == 1
    assert "broken.png" in refused.stderr
    assert "error: 1 files cannot be read; --skip leaves them out; nothing is imported" in refused.stderr
    assert len(filled.corrections.all()) == 3
    assert inkling_here("feedback", "import", str(tmp_path), "--skip").returncode == 0
    assert len(filled.corrections.all()) == 6


def test_corrections_are_deleted(inkling_here: InklingHere, filled: Registry) -> None:
    check_error(inkling_here("feedback", "delete"), 2, "--source NAME")
    check_error(inkling_here("feedback", "delete", "9"), 1, "there is no correction 9")
    assert inkling_here("feedback", "delete", "3").stdout == "1 corrections are deleted\n"
    assert inkling_here("feedback", "delete", "--source", "anna").stdout == "2 corrections are deleted\n"


def test_wrong_names_and_full_registries_are_refused(
    inkling_here: InklingHere, filled: Registry, tmp_path: Path
) -> None:
    inkling_here("feedback", "export", str(tmp_path))
    check_error(inkling_here("feedback", "import", str(tmp_path), "--source", "a/b"), 1, "'a/b' is no name")
    check_error(inkling_here("feedback", "import", str(tmp_path), "--max-feedback", "5"), 1, "exceed the limit of 5")
