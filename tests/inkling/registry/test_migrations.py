"""The history of the schema: databases of older releases and of newer ones."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, text

from inkling.errors import SchemaError, UnknownVersionError
from inkling.network.checkpoint import Checkpoint
from inkling.network.recipe import TUTORIAL
from inkling.registry.database import REVISIONS, Database
from inkling.registry.records import Snapshot
from inkling.registry.registry import Registry
from inkling.registry.tables import metadata
from inkling.settings import StoreSettings
from tests.support.concurrency import in_processes
from tests.support.databases import connect, migrations
from tests.support.networks import make_evaluation
from tests.support.processes import DEADLINE_S, run_training, without_module


@pytest.fixture(params=["with its history", "before there was a history"])
def first_release(request: pytest.FixtureRequest, store: StoreSettings, checkpoint: Checkpoint) -> StoreSettings:
    """A database as revision 0001 left it, with a run that succeeded, its version, and one that waits."""
    store.data_dir.mkdir()
    with connect(store.registry_url) as connection:
        command.upgrade(migrations(connection), "0001")
        if request.param == "before there was a history":
            connection.execute(text("DROP TABLE alembic_version"))
        when = "2024-07-01 12:00:00"
        values = {
            "when": when,
            "recipe": TUTORIAL.model_dump_json(),
            "digest": checkpoint.digest,
            "checkpoint": checkpoint.content,
            "evaluation": checkpoint.card.evaluation.model_dump_json(),
        }
        for statement in (
            "INSERT INTO versions (run_id, digest, checkpoint, evaluation, created_at, origin)"
            " VALUES (1, :digest, :checkpoint, :evaluation, :when, 'run')",
            "INSERT INTO runs (state, recipe, promote, requested_at, started_at, finished_at, step, total_steps,"
            " attempt, decision, version)"
            " VALUES ('succeeded', :recipe, 'always', :when, :when, :when, 3000, 3000, 1, 'because', 1)",
            "INSERT INTO runs (state, recipe, promote, idempotency_key, requested_at, step, total_steps, attempt)"
            " VALUES ('queued', :recipe, 'never', 'k', :when, 0, 3000, 0)",
            "INSERT INTO run_progress (run_id, step, loss, accuracy, elapsed_s) VALUES (1, 100, 1.5, 0.5, 2.5)",
            "INSERT INTO promotions (version, promoted_at, policy, reason) VALUES (1, :when, 'always', 'because')",
        ):
            connection.execute(text(statement), values)
    return store


def test_database_of_the_first_release_is_upgraded_and_keeps_its_rows(
    first_release: StoreSettings, checkpoint: Checkpoint
) -> None:
    registry = Registry(first_release.registry_url)
    # then
    waiting, succeeded = registry.runs.newest(10)
    assert (succeeded.state, succeeded.version, succeeded.decision) == ("succeeded", 1, "because")
    assert (waiting.state, waiting.recipe, waiting.promote) == ("queued", TUTORIAL, "never")
    assert [(line.step, line.loss) for line in registry.runs.progress(1)] == [(100, 1.5)]
    assert registry.versions.checkpoint(1) == checkpoint.content
    served = registry.versions.served()
    assert served is not None
    assert (served.version, served.is_promoted, served.compared_with, served.comparison) == (1, True, None, None)
    assert registry.verify() == []
    # then: it can be worked with
    assert registry.runs.queue(TUTORIAL, "never", max_queued=9, idempotency_key="k") == (waiting, False)
    leased = registry.runs.claim(600, "tests")
    assert leased is not None
    assert registry.runs.snapshot(leased.run.id) is None
    registry.close()


def test_only_uploads_that_a_server_measured_keep_their_evaluation(
    first_release: StoreSettings, checkpoint: Checkpoint
) -> None:
    # given: an upload with its card's own claim, one that was measured, and one that is damaged
    claim = checkpoint.card.evaluation
    with connect(first_release.registry_url) as connection:
        for content, evaluation in (
            (checkpoint.content, claim),
            (checkpoint.content, make_evaluation(3)),
            (b"damaged", claim),
        ):
            connection.execute(
                text(
                    "INSERT INTO versions (digest, checkpoint, evaluation, created_at, origin)"
                    " VALUES ('00', :content, :evaluation, '2024-07-01 12:00:00', 'upload')"
                ),
                {"content": content, "evaluation": evaluation.model_dump_json()},
            )
    # when
    registry = Registry(first_release.registry_url)
    # then
    found = {version.version: (version.measured_by, version.evaluation) for version in registry.versions.newest(10)}
    registry.close()
    assert found == {1: ("trainer", claim), 2: (None, None), 3: ("server", make_evaluation(3)), 4: (None, None)}


def test_upgraded_database_is_as_a_new_one(first_release: StoreSettings) -> None:
    Registry(first_release.registry_url).close()
    assert differences(first_release.registry_url) == []
    assert revision(first_release.registry_url) == REVISIONS[-1]


WHEN = datetime(2024, 7, 1, 12, 0, tzinfo=UTC)


def rows_of_a_former_revision(checkpoint: Checkpoint) -> dict[str, list[dict[str, object]]]:
    """Return rows of every table, with the columns of all revisions: a deleted version, a run that succeeded, ..."""
    size_bytes = len(checkpoint.content)
    file = {"digest": checkpoint.digest, "checkpoint": checkpoint.content, "size_bytes": size_bytes, "created_at": WHEN}
    measured = {"evaluation": checkpoint.card.evaluation.model_dump(), "measured_by": "trainer"}
    requested = {"recipe": TUTORIAL.model_dump(), "promote": "always", "requested_at": WHEN, "total_steps": 3000}
    ended = {"started_at": WHEN, "finished_at": WHEN, "step": 3000, "attempt": 1}
    return {
        "versions": [
            {"version": 1, "run_id": 1, "origin": "run", "deleted_at": None, **file, **measured},
            {"version": 2, "origin": "upload", "deleted_at": WHEN, **file, **measured, "checkpoint": b""},
        ],
        "checkpoints": [{"version": 1, "content": checkpoint.content}],
        "runs": [
            {"id": 1, "state": "succeeded", "decision": "because", "version": 1, **requested, **ended},
            {"id": 2, "state": "queued", "step": 100, "attempt": 1, "idempotency_key": "k", **requested},
        ],
        "run_progress": [{"run_id": 2, "step": 100, "loss": 1.5, "accuracy": 0.5, "elapsed_s": 2.5}],
        "run_snapshots": [{"run_id": 2, "step": 100, "state": b"state"}],
        "promotions": [{"version": 1, "promoted_at": WHEN, "policy": "always", "reason": "because"}],
        "corrections": [{"image": bytes(784), "label": 7, "digit": 1, "created_at": WHEN}],
    }


@pytest.mark.parametrize("former", REVISIONS[:-1])
def test_registry_of_each_former_revision_is_upgraded_with_its_rows(
    store: StoreSettings, former: str, checkpoint: Checkpoint
) -> None:
    # given
    store.data_dir.mkdir()
    with connect(store.registry_url) as connection:
        command.upgrade(migrations(connection), former)
        tables = MetaData()
        tables.reflect(connection)
        for name, rows in rows_of_a_former_revision(checkpoint).items():
            if (table := tables.tables.get(name)) is not None:
                for row in rows:
                    connection.execute(table.insert().values({key: row[key] for key in row if key in table.c}))
    # when
    registry = Registry(store.registry_url)
    # then
    first = registry.versions.get(1)
    assert (first.size_bytes, first.evaluation) == (len(checkpoint.content), checkpoint.card.evaluation)
    assert registry.versions.checkpoint(1) == checkpoint.content
    assert registry.versions.find(checkpoint.digest) == first
    served = registry.versions.served()
    assert served is not None
    assert (served.version, served.reason) == (1, "because")
    waiting, succeeded = registry.runs.newest(10)
    assert (succeeded.version, succeeded.decision) == (1, "because")
    assert registry.runs.queue(TUTORIAL, "always", max_queued=9, idempotency_key="k") == (waiting, False)
    assert [(line.step, line.loss) for line in registry.runs.progress(2)] == [(100, 1.5)]
    if former > "0001":
        assert registry.runs.snapshot(2) == Snapshot(100, b"state")
    if former > "0002":
        with pytest.raises(UnknownVersionError, match="version 2 was deleted at 2024-07-01 12:00 UTC"):
            registry.versions.get(2)
        assert registry.verify() == []
    if former > "0004":
        assert [(correction.label, correction.digit) for correction in registry.corrections.all()] == [(7, 1)]
    registry.close()
    assert differences(store.registry_url) == []


@pytest.mark.parametrize("backend", ["sqlite"])
def test_upgraded_file_can_give_back_the_space_of_deleted_rows(first_release: StoreSettings) -> None:
    Registry(first_release.registry_url).close()
    with closing(sqlite3.connect(first_release.data_dir / "inkling.db")) as file:
        assert file.execute("PRAGMA auto_vacuum").fetchone() == (2,)
        assert file.execute("PRAGMA freelist_count").fetchone() == (0,)


def differences(url: str) -> list[object]:
    with connect(url) as connection:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))


def revision(url: str) -> str | None:
    with connect(url) as connection:
        found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return found


def test_migrations_make_the_tables_that_the_program_knows(registry: Registry, store: StoreSettings) -> None:
    assert registry.verify() == []
    assert differences(store.registry_url) == []


def test_revisions_are_the_scripts_history() -> None:
    history = [script.revision for script in ScriptDirectory.from_config(migrations()).walk_revisions()]
    assert list(REVISIONS) == history[::-1]


def test_database_opened_again_is_left_alone(registry: Registry, store: StoreSettings) -> None:
    run, _ = registry.runs.queue(TUTORIAL, "never", max_queued=1)
    again = Registry(store.registry_url)
    assert again.runs.newest(10) == [run]
    again.close()


@pytest.fixture
def newer(registry: Registry, store: StoreSettings) -> StoreSettings:
    """A database that a newer Inkling has upgraded."""
    registry.runs.queue(TUTORIAL, "never", max_queued=1)
    with connect(store.registry_url) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0099'"))
    return store


@pytest.mark.parametrize("backend", ["postgresql"])
def test_refused_database_is_left_without_a_connection(newer: StoreSettings) -> None:
    with pytest.raises(SchemaError) as refused:
        Registry(newer.registry_url)
    with connect(newer.registry_url) as connection:
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        opened = connection.scalar(text(others))
    assert refused.value
    assert opened == 1  # the fixture's registry


def test_database_of_a_newer_release_is_refused_and_left_alone(newer: StoreSettings) -> None:
    words = r"at revision 0099, made by a newer Inkling; .*: upgrade Inkling.* other than (sqlite|postgresql)"
    with pytest.raises(SchemaError, match=words):
        Registry(newer.registry_url)
    assert revision(newer.registry_url) == "0099"


def test_trainer_of_a_database_of_a_newer_release_says_so_and_exits(newer: StoreSettings) -> None:
    ended = run_training("worker", "--data-dir", str(newer.data_dir), INKLING_DATABASE_URL=newer.registry_url)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "error: the database is at revision 0099, made by a newer Inkling" in ended.stderr
    assert "Traceback" not in ended.stderr


def upgrade_at_once(url: str, together: Barrier) -> None:
    together.wait(DEADLINE_S)
    database = Database(url)
    with database.read() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == REVISIONS[-1]
    database.close()


def test_processes_upgrade_the_database_of_the_first_release_once(first_release: StoreSettings) -> None:
    # when
    in_processes(8, upgrade_at_once, first_release.registry_url)
    # then
    registry = Registry(first_release.registry_url)
    assert registry.verify() == []
    registry.close()


@pytest.mark.parametrize("backend", ["sqlite"])
def test_upgrade_that_fails_halfway_leaves_the_database_as_it_was(first_release: StoreSettings) -> None:
    # given: a column that makes the second statement of the upgrade fail
    with connect(first_release.registry_url) as connection:
        connection.execute(text("ALTER TABLE promotions ADD COLUMN compared_with INTEGER"))
    # when
    with pytest.raises(Exception, match="compared_with"):
        Registry(first_release.registry_url)
    # then
    with closing(sqlite3.connect(first_release.data_dir / "inkling.db")) as file:
        names = {name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        columns = {row[1] for row in file.execute("PRAGMA table_info(promotions)")}
    assert "run_snapshots" not in names
    assert "is_promoted" not in columns


@pytest.mark.parametrize("backend", ["sqlite"])
def test_postgresql_without_its_driver_is_an_error_that_says_what_to_install(
    store: StoreSettings, tmp_path: Path
) -> None:
    url = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    environment = {**without_module(tmp_path, "psycopg"), "INKLING_DATABASE_URL": url}
    ended = run_training("worker", "--data-dir", str(store.data_dir), **environment)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "error: No module named 'psycopg'; for PostgreSQL: pip install '.[postgres]'" in ended.stderr
    assert "Traceback" not in ended.stderr
