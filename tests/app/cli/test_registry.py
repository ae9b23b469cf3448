import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.cli.registry_access import visible_url
from app.settings import Settings
from inkling.network.checkpoint import Checkpoint
from inkling.registry.registry import Registry
from tests.support.command_line import InklingHere, check_error, inkling
from tests.support.services import open_registry, retrained


@pytest.mark.parametrize("command", [["versions"], ["promote", "1"], ["verify"], ["export", "1", "x"]])
def test_command_without_a_registry_says_what_creates_one(
    inkling_here: InklingHere, command: list[str], tmp_path: Path
) -> None:
    check_error(inkling_here(*command), 1, "error: there is no registry at", "inkling serve")
    assert not (tmp_path / "var").exists()


def test_versions_are_listed_with_the_served_one_marked(two_versions: list[str], shipped: Checkpoint) -> None:
    result = inkling("versions", *two_versions)
    assert (result.returncode, result.stderr) == (0, "")
    newest, oldest = result.stdout.splitlines()
    assert re.match(r"\*    2  test accuracy \d\.\d{4}  run ", newest)
    assert re.match(r"     1  test accuracy \d\.\d{4}  shipped ", oldest)
    assert shipped.digest[:12] in oldest


def test_all_versions_are_listed(inkling_here: InklingHere, settings: Settings, shipped: Checkpoint) -> None:
    with open_registry(settings) as registry:
        registry.versions.add_first(shipped)
        for seed in range(100):
            registry.versions.add_upload(retrained(shipped, seed))
    lines = inkling_here("versions", "--data-dir", settings.data_dir).stdout.splitlines()
    assert [int(line[1:].split()[0]) for line in lines] == list(range(101, 0, -1))


def test_versions_as_json_are_one_object_each(
    inkling_here: InklingHere, two_versions: list[str], shipped: Checkpoint
) -> None:
    newest, oldest = map(json.loads, inkling_here("versions", "--json", *two_versions).stdout.splitlines())
    assert (newest["version"], newest["is_served"], newest["origin"], newest["run_id"]) == (2, True, "run", 1)
    assert (oldest["version"], oldest["is_served"], oldest["origin"], oldest["run_id"]) == (1, False, "shipped", None)
    assert (oldest["digest"], oldest["size_bytes"]) == (shipped.digest, len(shipped.content))
    assert oldest["evaluation"]["correct"] == shipped.card.evaluation.correct


def test_promote_serves_a_version(inkling_here: InklingHere, two_versions: list[str], settings: Settings) -> None:
    result = inkling_here("promote", "1", *two_versions)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("version 1 is served since ")
    with open_registry(settings) as registry:
        served = registry.versions.served()
        assert served
        assert (served.version, served.policy) == (1, "manual")


@pytest.mark.parametrize("version", ["3", "2147483647"])
def test_promote_refuses_a_version_that_does_not_exist(
    inkling_here: InklingHere, two_versions: list[str], version: str
) -> None:
    result = inkling_here("promote", version, *two_versions)
    check_error(result, 1, f"error: there is no version {version}; `inkling versions` lists them\n")


@pytest.mark.parametrize("version", ["0", "-1", "1" + "0" * 30, "1" + "0" * 5000, "²"])
def test_promote_refuses_a_number_that_cannot_be_a_version(
    inkling_here: InklingHere, two_versions: list[str], version: str
) -> None:
    result = inkling_here("promote", *two_versions, "--", version)
    check_error(result, 2, f"'{version}' is not an integer from 1 to 2147483647")


def test_corrupt_version_is_an_error_in_one_line(
    inkling_here: InklingHere, two_versions: list[str], execute: Callable[..., None], files: list[Path]
) -> None:
    execute("UPDATE checkpoints SET content = ? WHERE version = 2", b"no checkpoint")
    check_error(inkling_here("predict", files[0], *two_versions), 1, "error: not a safetensors file")


@pytest.mark.parametrize("command", [["versions"], ["verify"], ["serve", "--port", "0"], ["serve", "--workers", "2"]])
def test_registry_that_is_not_a_database_is_an_error_in_one_line(settings: Settings, command: list[str]) -> None:
    settings.data_dir.mkdir()
    (settings.data_dir / "inkling.db").write_bytes(b"this is no database" * 100)
    words = (f"the registry at {settings.registry_url} cannot be used", "file is not a database")
    check_error(inkling(*command, "--data-dir", settings.data_dir), 1, *words)


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["versions"], ["verify"]])
def test_registry_of_a_newer_inkling_is_an_error_in_one_line(
    two_versions: list[str], execute: Callable[..., None], command: list[str]
) -> None:
    execute("UPDATE alembic_version SET version_num = '9999'")
    words = ("error: the database is at revision 9999, made by a newer Inkling", "upgrade Inkling")
    check_error(inkling(*command, *two_versions), 1, *words)


def test_invalid_url_is_an_error_in_one_line(inkling_here: InklingHere) -> None:
    result = inkling_here("versions", "--database-url", "not a URL but a secret")
    check_error(
        result, 1, "INKLING_DATABASE_URL is not a URL; expected sqlite:///FILE or postgresql://USER:PASSWORD@HOST"
    )
    assert "secret" not in result.stderr


def test_password_of_the_registry_is_not_shown() -> None:
    url = visible_url(Settings(database_url="postgresql://me:secret@host/inkling"))
    assert url == "postgresql+psycopg://me:***@host/inkling"


def test_registry_without_a_served_version_predicts_with_the_shipped_network(
    inkling_here: InklingHere, settings: Settings, files: list[Path]
) -> None:
    with open_registry(settings):
        pass
    expected = inkling_here("predict", *files).stdout
    assert inkling_here("predict", *files, "--data-dir", settings.data_dir).stdout == expected


def test_delete_removes_a_version_that_is_not_served(inkling_here: InklingHere, two_versions: list[str]) -> None:
    check_error(inkling_here("delete", "2", *two_versions), 1, "error: version 2 is served", "`inkling promote V`")
    result = inkling_here("delete", "1", *two_versions)
    assert (result.returncode, result.stdout, result.stderr) == (0, "version 1 is deleted\n", "")
    assert len(inkling_here("versions", *two_versions).stdout.splitlines()) == 1
    check_error(inkling_here("delete", "1", *two_versions), 1, "error: version 1 was deleted at ")


# verify


def test_verify_finds_nothing_in_a_consistent_registry(inkling_here: InklingHere, two_versions: list[str]) -> None:
    result = inkling_here("verify", *two_versions)
    assert (result.returncode, result.stdout, result.stderr) == (0, "consistent\n", "")


def test_verify_names_every_inconsistency_and_exits_1(
    inkling_here: InklingHere, two_versions: list[str], execute: Callable[..., None]
) -> None:
    execute("UPDATE checkpoints SET content = (SELECT content FROM checkpoints WHERE version = 1) WHERE version = 2")
    execute("UPDATE runs SET step = 4000 WHERE id = 1")
    result = inkling_here("verify", *two_versions)
    assert (result.returncode, result.stderr) == (1, "")
    *problems, last = result.stdout.splitlines()
    assert last.startswith("2 problems in sqlite:///")
    assert any(re.match("version 2 has SHA-256 [0-9a-f]{64}, recorded is ", problem) for problem in problems)
    assert "run 1 (succeeded) is at step 4000 of 3000" in problems


def test_verify_repairs_what_it_can_and_says_what_it_did(
    inkling_here: InklingHere, two_versions: list[str], execute: Callable[..., None]
) -> None:
    execute("UPDATE checkpoints SET content = ? WHERE version = 2", b"no checkpoint")
    result = inkling_here("verify", "--repair", *two_versions)
    assert (result.returncode, result.stderr) == (0, "")
    dropped, promoted, last = result.stdout.splitlines()
    assert dropped.startswith("repaired: version 2 is dropped: not a safetensors file")
    assert (promoted, last) == ("repaired: version 1 is promoted", "consistent")


MOUNT_READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'


def run_read_only(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command while nobody can write into a folder; root can, unless the file system refuses it."""
    command = [sys.executable, "-m", "app.cli", *arguments, "--database-url", f"sqlite:///{folder}/inkling.db"]
    if os.geteuid() == 0:
        command = ["unshare", "--mount", "bash", "-c", MOUNT_READ_ONLY, str(folder), *command]
    folder.chmod(0o555)
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    finally:
        folder.chmod(0o755)
    if ended.stderr.startswith(("unshare:", "mount:")):
        pytest.skip(f"needs to mount: {ended.stderr}")
    return ended


def test_registry_that_can_only_be_read_is_read(
    two_versions: list[str], settings: Settings, registry: Registry
) -> None:
    folder = settings.data_dir
    # given: a registry that another process uses, then one that nobody does
    assert (folder / "inkling.db-wal").exists()
    for _ in range(2):
        # then
        verified = run_read_only(folder, "verify")
        assert (verified.returncode, verified.stdout, verified.stderr) == (0, "consistent\n", "")
        registry.close()
    assert not (folder / "inkling.db-wal").exists()
    refused = run_read_only(folder, "promote", "1")
    assert refused.returncode == 1
    assert refused.stderr.endswith("cannot be written by this user: make it writable\n")
