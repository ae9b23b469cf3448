"""Each sentence of `registry.verify()`, provoked by changes that no method of the registry makes."""

import hashlib
from collections.abc import Callable

import pytest
from sqlalchemy import text

from inkling.network.checkpoint import Checkpoint
from inkling.network.first_layer import FirstLayer
from inkling.network.pretrained import load_pretrained
from inkling.registry.records import Decision, Lease, Progress, Snapshot
from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from tests.support.databases import connect
from tests.support.leases import SHORT
from tests.support.networks import make_checkpoint, random_parameters

WHEN = "'2024-07-01 12:00:00'"


@pytest.fixture
def break_it(store: StoreSettings, registry: Registry) -> Callable[[str], None]:
    """Execute statements on the database of `registry`, without foreign keys on SQLite."""

    def execute(statements: str) -> None:
        with connect(store.registry_url) as connection:
            for statement in statements.split(";"):
                connection.execute(text(statement))

    return execute


def lease_new_run(registry: Registry) -> Lease:
    registry.runs.queue(SHORT, "always", max_queued=100)
    leased = registry.runs.claim(600, "tests")
    assert leased is not None
    return leased


def publish(registry: Registry, seed: int, *, is_promoted: bool = True) -> None:
    leased = lease_new_run(registry)
    registry.runs.record_progress(leased, Progress(100, 1.0, 0.5, None, 1.0))
    decision = Decision(is_promoted=is_promoted, reason="for the test")
    registry.publish(leased, make_checkpoint(random_parameters(seed)), lambda served: decision)


def fill(registry: Registry, checkpoint: Checkpoint) -> None:
    """Make runs of every state: 1 succeeded (version 2), 2 failed, 3 cancelled, 4 running, 5 queued."""
    registry.versions.add_first(checkpoint)
    publish(registry, 1)
    registry.runs.fail(lease_new_run(registry), "internal", "for the test")
    registry.runs.cancel(lease_new_run(registry).run.id)
    running = lease_new_run(registry)
    registry.runs.record_progress(running, Progress(100, 1.0, 0.5, None, 1.0))
    registry.runs.save_snapshot(running, Snapshot(100, b"state"))
    registry.runs.show_first_layer(running, FirstLayer(100, 0.5, bytes(784 * 128)))
    registry.runs.queue(SHORT, "always", max_queued=100)


def test_empty_registry_is_consistent(registry: Registry) -> None:
    assert registry.verify() == []


def test_registry_with_runs_of_every_state_is_consistent(registry: Registry, checkpoint: Checkpoint) -> None:
    fill(registry, checkpoint)
    assert {run.state for run in registry.runs.newest(10)} == {"queued", "running", "succeeded", "failed", "cancelled"}
    assert registry.verify() == []


@pytest.mark.parametrize(
    ("statements", "sentence"),
    [
        ("UPDATE runs SET state = 'paused' WHERE id = 5", "run 5 (paused) is in an unknown state"),
        ("UPDATE runs SET lease_token = NULL WHERE id = 4", "run 4 (running) has no lease"),
        ("UPDATE runs SET lease_token = 'x' WHERE id = 5", "run 5 (queued) has a lease"),
        ("UPDATE runs SET lease_token = 'x' WHERE id = 2", "run 2 (failed) has a lease"),
        ("UPDATE runs SET version = 1 WHERE id = 3", "run 3 (cancelled) has version 1"),
        ("UPDATE runs SET error_type = NULL WHERE id = 2", "run 2 (failed) has no error"),
        ("UPDATE runs SET error_type = 'dataset' WHERE id = 3", "run 3 (cancelled) has the error dataset"),
        ("UPDATE runs SET finished_at = NULL WHERE id = 3", "run 3 (cancelled) has no end time"),
        ("UPDATE runs SET finished_at = requested_at WHERE id = 5", "run 5 (queued) has the end time 20"),
        ("UPDATE runs SET step = 201 WHERE id = 5", "run 5 (queued) is at step 201 of 200"),
        ("UPDATE runs SET step = -1 WHERE id = 5", "run 5 (queued) is at step -1 of 200"),
        ("UPDATE runs SET step = 50 WHERE id = 4", "run 4 has progress at step 100, which it has not reached"),
        ("UPDATE run_snapshots SET run_id = 3", "run 3 has ended and still has a snapshot"),
        ("UPDATE run_weights SET run_id = 2", "run 2 has ended and still has weights that are shown"),
        ("UPDATE versions SET digest = '00' WHERE version = 2", "version 2 has SHA-256 "),
        ("UPDATE promotions SET is_promoted = false", "there are versions, but none was ever promoted"),
        (
            "UPDATE versions SET origin = 'run', run_id = 3 WHERE version = 1",
            "version 1 names run 3 as its origin, but runs [] name it",
        ),
        (
            "UPDATE versions SET run_id = 2 WHERE version = 2",
            "version 2 names run 2 as its origin, but runs [1] name it",
        ),
    ],
    ids=lambda value: value.split(" WHERE")[0],
)
def test_inconsistency_is_named(
    registry: Registry, checkpoint: Checkpoint, break_it: Callable[[str], None], statements: str, sentence: str
) -> None:
    # given
    fill(registry, checkpoint)
    # when
    break_it(statements)
    # then
    assert [problem for problem in registry.verify() if problem.startswith(sentence)], registry.verify()


def test_succeeded_run_without_its_version_is_named(
    registry: Registry, checkpoint: Checkpoint, break_it: Callable[[str], None]
) -> None:
    fill(registry, checkpoint)
    break_it("UPDATE runs SET version = NULL WHERE id = 1")
    assert registry.verify() == [
        "run 1 (succeeded) has no version",
        "version 2 names run 1 as its origin, but runs [] name it as their result",
    ]


def test_origin_of_two_versions_is_named(
    registry: Registry, checkpoint: Checkpoint, break_it: Callable[[str], None]
) -> None:
    fill(registry, checkpoint)
    break_it("UPDATE versions SET origin = 'run', run_id = 1 WHERE version = 1")
    assert "run 1 is the origin of more than one version" in registry.verify()


def test_version_that_two_runs_name_as_their_result_is_named(
    registry: Registry, checkpoint: Checkpoint, break_it: Callable[[str], None]
) -> None:
    fill(registry, checkpoint)
    publish_second = "UPDATE runs SET state = 'succeeded', error_type = NULL, version = 2 WHERE id = 2"
    break_it(publish_second)
    (problem,) = registry.verify()
    assert problem.startswith("version 2 names run 1 as its origin, but runs [")


@pytest.mark.parametrize("content", [b"", b"damaged"], ids=["empty", "damaged"])
def test_version_whose_bytes_are_damaged_is_named(
    registry: Registry, checkpoint: Checkpoint, break_it: Callable[[str], None], backend: str, content: bytes
) -> None:
    # given
    fill(registry, checkpoint)
    damaged = f"'\\x{content.hex()}'" if backend == "postgresql" else f"x'{content.hex()}'"
    # when
    break_it(f"UPDATE checkpoints SET content = {damaged} WHERE version = 2")  # noqa: S608  a constant
    # then
    digest, load = registry.verify()
    assert digest.startswith(f"version 2 has SHA-256 {hashlib.sha256(content).hexdigest()}, recorded is ")
    assert load.startswith("version 2 cannot be loaded: not a safetensors file")


def test_promotion_of_no_version_is_named(
    registry: Registry, checkpoint: Checkpoint, break_it: Callable[[str], None], backend: str
) -> None:
    # given: a database that does not enforce its foreign keys
    registry.versions.add_first(checkpoint)
    if backend == "postgresql":
        break_it("ALTER TABLE promotions DROP CONSTRAINT promotions_version_fkey")
    # when
    columns = "version, promoted_at, policy, reason, is_promoted"
    break_it(f"INSERT INTO promotions ({columns}) VALUES (9, {WHEN}, 'manual', '', true)")  # noqa: S608  a constant
    # then
    problems = registry.verify()
    assert "promotion 2 names version 9, which does not exist" in problems
    if backend == "sqlite":
        assert "SQLite's foreign_key_check: ('promotions', 2, 'versions', 0)" in problems


@pytest.mark.parametrize("backend", ["sqlite"])
def test_damaged_database_file_is_named_by_sqlites_own_check(store: StoreSettings, checkpoint: Checkpoint) -> None:
    # given: a registry on SQLite, closed
    registry = Registry(store.registry_url)
    fill(registry, checkpoint)
    registry.close()
    file = store.data_dir / "inkling.db"
    # when: the index of the runs' states is changed to hold other values than the table
    content = file.read_bytes()
    at = content.rindex(b"cancelled")
    file.write_bytes(content[:at] + b"cancelleD" + content[at + 9 :])
    # then
    registry = Registry(store.registry_url)
    assert any(problem.startswith("SQLite's integrity_check: ") for problem in registry.verify())
    registry.close()


# repair


def test_consistent_registry_needs_no_repair(registry: Registry, checkpoint: Checkpoint) -> None:
    fill(registry, checkpoint)
    before = registry.runs.newest(10), registry.versions.newest(10), registry.versions.promotions(10)
    assert registry.repair(load_pretrained()) == []
    assert (registry.runs.newest(10), registry.versions.newest(10), registry.versions.promotions(10)) == before


def test_damaged_served_version_is_dropped_and_the_last_promoted_one_that_loads_is_promoted(
    registry: Registry, checkpoint: Checkpoint, break_it: Callable[[str], None]
) -> None:
    # given: version 2 is served; version 3 was not promoted
    fill(registry, checkpoint)
    registry.runs.cancel(4)
    registry.runs.cancel(5)
    publish(registry, 3, is_promoted=False)
    break_it("UPDATE versions SET digest = '00' WHERE version = 2")
    # when
    dropped, promoted = registry.repair(load_pretrained())
    # then
    assert dropped.startswith("version 2 is dropped: its SHA-256 is ")
    assert promoted == "version 1 is promoted"
    served = registry.versions.served()
    assert served is not None
    assert (served.version, served.compared_with) == (1, 2)
    assert [version.version for version in registry.versions.newest(10)] == [3, 1]
    assert registry.verify() == []


def test_registry_in_which_nothing_loads_serves_the_network_that_ships(
    registry: Registry, checkpoint: Checkpoint, break_it: Callable[[str], None]
) -> None:
    registry.versions.add_first(checkpoint)
    break_it("UPDATE versions SET digest = '00' WHERE version = 1")
    assert registry.repair(load_pretrained())[1:] == [
        "version 2 is added: the network that ships",
        "version 2 is promoted",
    ]
    assert registry.verify() == []


def test_damaged_copy_of_the_network_that_ships_is_replaced(
    registry: Registry, break_it: Callable[[str], None], backend: str
) -> None:
    registry.versions.add_first(load_pretrained())
    damaged = "'\\x00'" if backend == "postgresql" else "x'00'"
    break_it(f"UPDATE checkpoints SET content = {damaged}")  # noqa: S608  a constant
    (repaired,) = registry.repair(load_pretrained())
    assert repaired.startswith("version 1 was damaged (not a safetensors file")
    assert registry.versions.checkpoint(1) == load_pretrained().content
    assert registry.verify() == []


def test_runs_without_a_trainer_are_queued_again(
    registry: Registry, checkpoint: Checkpoint, break_it: Callable[[str], None]
) -> None:
    fill(registry, checkpoint)
    break_it("UPDATE runs SET lease_token = NULL WHERE id = 4")
    assert registry.repair(load_pretrained()) == ["run 4 is queued again: no trainer has it"]
    run = registry.runs.get(4)
    assert (run.state, run.step) == ("queued", 100)
    assert registry.verify() == []
