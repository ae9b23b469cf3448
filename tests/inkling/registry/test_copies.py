"""Backups, their restoration, and moves between databases."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from inkling.errors import RegistryError
from inkling.network.checkpoint import Checkpoint
from inkling.network.recipe import TUTORIAL
from inkling.registry.records import Answered, Comparison, Decision, Progress, Snapshot
from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from tests.support.networks import make_checkpoint, random_parameters

RECIPE = TUTORIAL.with_overrides({"training_steps": 200, "display_step": 100})
COMPARISON = Comparison(100, 90, 80, 20, 10, 0.05, 3, -0.01, people=Comparison(9, 8, 1, 7, 0, 0.008, 4, 0.0))


@pytest.fixture
def filled(registry: Registry, checkpoint: Checkpoint) -> Registry:
    """A registry with a row of every table, and a deleted version and correction with the largest numbers."""
    registry.versions.add_first(checkpoint)
    registry.runs.queue(RECIPE, "if_better", max_queued=9, idempotency_key="k")
    lease = registry.runs.claim(600, "tests")
    assert lease is not None
    registry.runs.record_progress(lease, Progress(100, 0.1, 0.5, None, 1.0))
    decision = Decision(is_promoted=True, reason="for the test", comparison=COMPARISON)
    registry.publish(lease, make_checkpoint(random_parameters(1)), lambda served: decision)
    registry.runs.queue(RECIPE, "never", max_queued=9)
    lease = registry.runs.claim(600, "tests")
    assert lease is not None
    registry.runs.save_snapshot(lease, Snapshot(100, b"state"))
    registry.runs.release(lease)
    answer = Answered(bytes(784), 1, 7, 0.9, None)
    registry.corrections.remember([answer])
    _, last = registry.corrections.add([answer, answer], [1, None], "somebody")
    registry.corrections.delete(last.id)
    registry.versions.delete(registry.versions.add_upload(make_checkpoint(random_parameters(2))).version)
    return registry


@pytest.fixture
def other(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Registry]:
    """An empty registry in the other kind of database."""
    is_file = backend == "postgresql"
    registry = Registry(f"sqlite:///{tmp_path / 'other.db'}" if is_file else request.getfixturevalue("postgres_url"))
    yield registry
    registry.close()


def content(registry: Registry) -> list[object]:
    listed = registry.versions.newest(9)
    return [
        listed,
        [registry.versions.checkpoint(version.version) for version in listed],
        registry.versions.promotions(9),
        registry.runs.newest(9),
        registry.runs.progress(1),
        registry.runs.snapshot(2),
        registry.corrections.all(),
    ]


def check_copy(copy: Registry, expected: list[object]) -> None:
    """Check that a registry has this content, and gives no number twice."""
    assert content(copy) == expected
    assert copy.verify() == []
    assert copy.versions.add_upload(make_checkpoint(random_parameters(3))).version == 4
    assert copy.runs.queue(RECIPE, "never", max_queued=9)[0].id == 3
    assert copy.corrections.add([Answered(bytes(784), 1, 7, 0.9, None)], [1])[0].id == 3


def test_moved_registry_has_all_rows_and_numbers(filled: Registry, other: Registry) -> None:
    expected = content(filled)
    assert filled.copy_to(other) == []
    assert content(filled) == expected
    check_copy(other, expected)


def test_registry_is_not_moved_into_one_that_holds_something(filled: Registry, other: Registry) -> None:
    other.versions.add_first(make_checkpoint())
    with pytest.raises(RegistryError, match="the other registry is not empty: it holds 1 versions"):
        filled.copy_to(other)


def test_registry_is_not_moved_while_a_run_is_trained(filled: Registry, other: Registry) -> None:
    assert filled.runs.claim(600, "tests") is not None
    with pytest.raises(RegistryError, match="run 2 is being trained: stop its trainer"):
        filled.copy_to(other)
    assert other.contents() == ""


def test_backup_is_a_file_that_restores_the_registry(filled: Registry, store: StoreSettings, tmp_path: Path) -> None:
    # given
    expected = content(filled)
    file = tmp_path / "backup.db"
    assert filled.back_up(file) == []
    assert [path.name for path in tmp_path.glob("backup*")] == ["backup.db"]
    # when: the registry goes on, and is then restored while it is in use
    filled.versions.promote(1, "for the test")
    filled.runs.cancel(2)
    before = file.read_bytes()
    filled.restore(file, store.data_dir)
    # then
    assert file.read_bytes() == before
    assert list(store.data_dir.glob("restored*")) == []
    check_copy(filled, expected)


def test_backup_restores_to_the_other_kind_of_database(
    filled: Registry, store: StoreSettings, other: Registry, tmp_path: Path
) -> None:
    expected = content(filled)
    filled.back_up(tmp_path / "backup.db")
    other.restore(tmp_path / "backup.db", store.data_dir)
    check_copy(other, expected)


@pytest.mark.parametrize("backend", ["sqlite"])
def test_registry_is_no_place_for_its_own_backup(filled: Registry, store: StoreSettings) -> None:
    with pytest.raises(RegistryError, match="is the registry itself"):
        filled.back_up(store.data_dir / "inkling.db")


@pytest.mark.parametrize("backend", ["sqlite"])
def test_damaged_backup_is_not_restored(filled: Registry, store: StoreSettings, tmp_path: Path) -> None:
    # given: a backup with a damaged version, and files that are no backup
    expected = content(filled)
    damaged, foreign, other_tables = (tmp_path / name for name in ("damaged.db", "foreign", "tables.db"))
    filled.back_up(damaged)
    with closing(sqlite3.connect(damaged)) as connection, connection:
        connection.execute("UPDATE checkpoints SET content = x'00' WHERE version = 2")
    shutil.copy(__file__, foreign)
    with closing(sqlite3.connect(other_tables)) as connection, connection:
        connection.execute("CREATE TABLE somebody_else (id INTEGER)")
    # then
    with pytest.raises(RegistryError, match="is inconsistent, and is not restored: version 2 has SHA-256"):
        filled.restore(damaged, store.data_dir)
    with pytest.raises(RegistryError, match="is no backup of a registry: `inkling backup FILE` writes one"):
        filled.restore(foreign, store.data_dir)
    with pytest.raises(RegistryError, match="holds the tables of another program"):
        filled.restore(other_tables, store.data_dir)
    assert content(filled) == expected
    assert list(store.data_dir.glob("restored*")) == []


@pytest.mark.parametrize("backend", ["sqlite"])
def test_backup_of_an_inconsistent_registry_says_so(filled: Registry, store: StoreSettings, tmp_path: Path) -> None:
    with closing(sqlite3.connect(store.data_dir / "inkling.db")) as connection, connection:
        connection.execute("UPDATE runs SET step = 1000 WHERE id = 1")
    assert filled.back_up(tmp_path / "backup.db") == ["run 1 (succeeded) is at step 1000 of 200"]
    assert (tmp_path / "backup.db").exists()
