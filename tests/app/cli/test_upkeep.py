"""`inkling prune`, `backup`, `restore` and `move`, also killed in the middle."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.settings import Settings
from inkling.network.checkpoint import Checkpoint
from inkling.registry.registry import Registry
from tests.support.command_line import InklingHere, check_error
from tests.support.processes import DEADLINE_S
from tests.support.services import publish, retrained

ROOM = 64 << 10
"""Bytes that a file may grow beyond the size of a backup: then the process is killed, before its last write."""


@pytest.fixture
def many_versions(two_versions: list[str], registry: Registry, shipped: Checkpoint) -> list[str]:
    """Return the arguments for a registry with 12 versions, of which the last is served."""
    for seed in range(3, 13):
        publish(registry, retrained(shipped, seed))
    return two_versions


def test_prune_lists_first_and_deletes_then(inkling_here: InklingHere, many_versions: list[str]) -> None:
    keep = ["--keep-newest-versions", "3", "--keep-promoted-versions", "2"]
    dry = inkling_here("prune", "--dry-run", *keep, *many_versions)
    assert (dry.returncode, dry.stderr) == (0, "")
    *announced, last = dry.stdout.splitlines()
    assert [line.split(":")[0] for line in announced] == [f"would delete version {number}" for number in range(1, 10)]
    assert re.fullmatch(r"9 deletions in a registry of \d+ bytes", last)
    done = inkling_here("prune", *keep, *many_versions)
    assert [line.replace("deleted", "would delete") for line in done.stdout.splitlines()[:-1]] == announced
    found = re.fullmatch(r"9 deletions; the registry has (\d+) bytes, before (\d+)", done.stdout.splitlines()[-1])
    assert found
    assert int(found[1]) < int(found[2]) / 2
    assert inkling_here("verify", *many_versions).stdout == "consistent\n"
    check_error(inkling_here("promote", "1", *many_versions), 1, "error: version 1 was pruned at ")


def test_backup_restores_and_moves(inkling_here: InklingHere, two_versions: list[str], tmp_path: Path) -> None:
    # when
    backup = tmp_path / "backup.db"
    made = inkling_here("backup", backup, *two_versions)
    assert (made.returncode, made.stdout) == (0, f"{backup}: {backup.stat().st_size} bytes, consistent\n")
    restored = inkling_here("restore", backup, "--data-dir", tmp_path / "new")
    moved = inkling_here("move", f"sqlite:///{tmp_path / 'moved.db'}", *two_versions)
    # then
    assert restored.stdout == f"sqlite:///{tmp_path / 'new' / 'inkling.db'} holds 2 versions, 1 runs\n"
    assert moved.stdout.startswith(f"sqlite:///{tmp_path / 'moved.db'} holds 2 versions, 1 runs, consistent\n")
    for place in (["--data-dir", tmp_path / "new"], ["--database-url", f"sqlite:///{tmp_path / 'moved.db'}"]):
        listed = inkling_here("versions", *place)
        assert listed.stdout == inkling_here("versions", *two_versions).stdout
    # then: nothing is replaced unless that is asked for
    check_error(inkling_here("backup", backup, *two_versions), 1, f"error: {backup} exists", "--replace")
    check_error(inkling_here("restore", backup, *two_versions), 1, "holds 2 versions, 1 runs: back it up", "--replace")
    assert inkling_here("backup", backup, "--replace", *two_versions).returncode == 0
    assert inkling_here("restore", backup, "--replace", *two_versions).returncode == 0


def test_backup_of_an_inconsistent_registry_exits_1(
    inkling_here: InklingHere, two_versions: list[str], execute: object, tmp_path: Path
) -> None:
    assert callable(execute)
    execute("UPDATE runs SET step = 4000 WHERE id = 1")
    result = inkling_here("backup", tmp_path / "backup.db", *two_versions)
    assert result.returncode == 1
    assert result.stderr == "error: run 1 (succeeded) is at step 4000 of 3000\n"
    assert result.stdout.endswith("bytes, 1 problems; `inkling verify --repair` mends the registry\n")


def test_wrong_places_are_named(inkling_here: InklingHere, two_versions: list[str], tmp_path: Path) -> None:
    check_error(inkling_here("restore", tmp_path / "none", *two_versions), 1, "none is no file")
    check_error(inkling_here("move", "nowhere", *two_versions), 2, "the URL is not a URL")
    own = f"sqlite:///{Path(two_versions[1]).absolute() / 'inkling.db'}"
    check_error(inkling_here("move", own, *two_versions), 2, "the registry is there already")
    (tmp_path / "text.db").write_text("no database, but long enough to be one" * 100)
    text = f"sqlite:///{tmp_path / 'text.db'}"
    check_error(inkling_here("move", text, *two_versions), 1, "cannot be moved to", "file is not a database")


def test_verify_flags_an_empty_registry(inkling_here: InklingHere, registry: Registry, settings: Settings) -> None:
    place = ["--data-dir", str(settings.data_dir)]
    empty = inkling_here("verify", *place)
    assert empty.returncode == 1
    assert empty.stdout.startswith("the registry is empty: is it the right one?")
    assert inkling_here("verify", "--repair", *place).returncode == 0
    assert [version.origin for version in registry.versions.newest(9)] == ["shipped"]


# kills


def test_prune_that_is_killed_leaves_a_consistent_registry(
    inkling_here: InklingHere, many_versions: list[str], registry: Registry
) -> None:
    keep = ["--keep-newest-versions", "1", "--keep-promoted-versions", "0"]
    command = [sys.executable, "-m", "app.cli", "prune", *keep, *many_versions]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline().startswith(b"deleted version 1:")
        process.kill()
    assert registry.verify() == []
    assert registry.versions.get(12).version == 12
    assert inkling_here("prune", *keep, *many_versions).returncode == 0
    assert [version.version for version in registry.versions.newest(99)] == [12]
    assert registry.verify() == []


@pytest.mark.parametrize("command", ["restore", "move"])
def test_copy_that_is_killed_leaves_what_was_there(
    inkling_here: InklingHere, many_versions: list[str], registry: Registry, command: str, tmp_path: Path
) -> None:
    # given
    backup = tmp_path / "backup.db"
    inkling_here("backup", backup, *many_versions)
    registry.versions.promote(2, "for the test")
    target = tmp_path / "moved.db"
    arguments = ["restore", str(backup), "--replace"] if command == "restore" else ["move", f"sqlite:///{target}"]
    # when: the process is killed while it writes the last pages of the copy
    ended = killed_beyond(
        backup.stat().st_size - ROOM if command == "move" else backup.stat().st_size, arguments, many_versions
    )
    assert ended == -signal.SIGXFSZ
    # then
    assert registry.verify() == []
    served = registry.versions.served()
    assert served is not None
    assert served.version == 2
    if command == "move":
        moved = Registry(f"sqlite:///{target}")
        assert (moved.verify(), moved.contents()) == ([], "")
        moved.close()
    # then: the same command ends what was begun
    assert inkling_here(*arguments, *many_versions).returncode == 0
    place = many_versions if command == "restore" else ["--database-url", f"sqlite:///{target}"]
    assert inkling_here("verify", *place).stdout == "consistent\n"


def killed_beyond(size: int, arguments: list[str], place: list[str]) -> int:
    """Run a command whose process is killed when a file would have more bytes; return its exit status."""
    program = f"""
import resource, signal, sys
from app.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
sys.exit(main())
"""
    return subprocess.run(
        [sys.executable, "-c", program, *arguments, *place],
        timeout=DEADLINE_S,
        check=False,
    ).returncode
