"""A registry that release 0.1 left: its rows have former field names, in recipes, cards and comparisons."""

import json
from collections.abc import Iterator

import pytest
from alembic import command
from sqlalchemy import text

from inkling.network import checkpoint
from inkling.network.checkpoint import Checkpoint
from inkling.network.recipe import ACCURATE
from inkling.registry.records import Comparison, Decision, Progress
from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from tests.support.checkpoint_files import with_card_fields
from tests.support.databases import connect, migrations

RECIPE = ACCURATE.with_overrides({"training_steps": 1000})
FORMER_RECIPE = {
    "name": "accurate",
    "optimizer": "muon",
    "learning_rate": 0.003,
    "warmup_steps": 1000,
    "decay": "cosine",
    "weight_decay": 0.01,
    "batch_size": 128,
    "training_steps": 1000,
    "display_step": 500,
    "shuffle_buffer": 60000,
    "validation_size": 5000,
    "average_decay": 0.9995,
    "rotation": 15.0,
    "scale": 0.25,
    "shear": 0.25,
    "shift": 1.0,
    "elastic": 1.0,
    "thickness": 0.5,
    "fade": 0.2,
    "damaged": 0.2,
    "drawn": 0.4,
    "seed": 0,
}
FORMER_COMPARISON = {
    "images": 5000,
    "candidate_correct": 4900,
    "served_correct": 4950,
    "candidate_alone": 10,
    "served_alone": 60,
    "p_value": 0.99,
    "worst_digit": 7,
    "worst_digit_change": -0.05,
}
STATEMENTS = (
    "INSERT INTO versions (digest, checkpoint, evaluation, created_at, origin)"
    " VALUES (:digest, :checkpoint, :evaluation, :when, 'shipped')",
    "INSERT INTO versions (run_id, digest, checkpoint, evaluation, created_at, origin)"
    " VALUES (1, :digest, :checkpoint, :evaluation, :when, 'run')",
    "INSERT INTO runs (state, recipe, promote, idempotency_key, requested_at, started_at, finished_at, step,"
    " total_steps, attempt, decision, version)"
    " VALUES ('succeeded', :recipe, 'if_better', 'k', :when, :when, :when, 1000, 1000, 1, 'not better', 2)",
    "INSERT INTO runs (state, recipe, promote, requested_at, started_at, step, total_steps, lease_token,"
    " lease_expires_at, attempt) VALUES ('running', :recipe, 'always', :when, :when, 500, 1000, 'x-1', :when, 1)",
    "INSERT INTO run_progress (run_id, step, loss, accuracy, validation_accuracy, elapsed_s)"
    " VALUES (2, 500, 12.5, 0.95, 0.96, 1.5)",
    "INSERT INTO run_snapshots (run_id, step, state) VALUES (2, 500, :state)",
    "INSERT INTO promotions (version, promoted_at, policy, reason, is_promoted)"
    " VALUES (1, :when, 'shipped', 'the first', true)",
    "INSERT INTO promotions (version, promoted_at, policy, reason, is_promoted, compared_with, comparison)"
    " VALUES (2, :when, 'if_better', 'not better', false, 1, :comparison)",
)


@pytest.fixture
def former_checkpoint(checkpoint: Checkpoint) -> bytes:
    """A checkpoint file whose card has a recipe of 0.1."""
    return with_card_fields(checkpoint.content, recipe=FORMER_RECIPE)


@pytest.fixture
def former_registry(store: StoreSettings, former_checkpoint: bytes) -> Iterator[Registry]:
    """The registry, opened by this release: a shipped version, one of a run, and a run whose trainer died."""
    loaded = checkpoint.load(former_checkpoint)
    store.data_dir.mkdir()
    with connect(store.registry_url) as connection:
        command.upgrade(migrations(connection), "0002")
        values = {
            "when": "2024-07-01 12:00:00",
            "digest": loaded.digest,
            "checkpoint": former_checkpoint,
            "evaluation": loaded.card.evaluation.model_dump_json(),
            "recipe": json.dumps(FORMER_RECIPE),
            "comparison": json.dumps(FORMER_COMPARISON),
            "state": b"the state of a training",
        }
        for statement in STATEMENTS:
            connection.execute(text(statement), values)
    registry = Registry(store.registry_url)
    yield registry
    registry.close()


def test_former_registry_is_consistent(former_registry: Registry) -> None:
    assert former_registry.verify() == []


def test_former_runs_are_read(former_registry: Registry) -> None:
    running, succeeded = former_registry.runs.newest(10)
    assert (running.id, running.state, running.step, running.recipe) == (2, "running", 500, RECIPE)
    assert (succeeded.id, succeeded.state, succeeded.version, succeeded.recipe) == (1, "succeeded", 2, RECIPE)
    assert former_registry.runs.progress(2) == [Progress(500, 12.5, 0.95, 0.96, 1.5)]


def test_former_request_is_recognized_by_its_key(former_registry: Registry) -> None:
    run, is_new = former_registry.runs.queue(RECIPE, "if_better", max_queued=9, idempotency_key="k")
    assert (run.id, is_new) == (1, False)


def test_former_versions_are_read(former_registry: Registry, former_checkpoint: bytes) -> None:
    of_run, shipped = former_registry.versions.newest(10)
    assert (shipped.version, shipped.origin, shipped.run_id) == (1, "shipped", None)
    assert (of_run.version, of_run.origin, of_run.run_id) == (2, "run", 1)
    content = former_registry.versions.checkpoint(2)
    assert content == former_checkpoint
    assert checkpoint.load(content).card.recipe == RECIPE


def test_former_promotions_are_read(former_registry: Registry) -> None:
    refused, first = former_registry.versions.promotions(10)
    assert (first.version, first.is_promoted, first.comparison) == (1, True, None)
    assert (refused.version, refused.is_promoted, refused.compared_with) == (2, False, 1)
    assert refused.comparison == Comparison(
        images=5000,
        candidate_correct=4900,
        served_correct=4950,
        candidate_only_correct=10,
        served_only_correct=60,
        p_value=0.99,
        worst_digit=7,
        worst_digit_change=-0.05,
    )
    assert former_registry.versions.served() == first


def test_former_run_is_resumed_and_published(former_registry: Registry, former_checkpoint: bytes) -> None:
    # when: a trainer of this release takes over the run of the one that died
    lease = former_registry.runs.claim(600, "tests")
    assert lease is not None
    snapshot = former_registry.runs.snapshot(lease.run.id)
    decision = Decision(is_promoted=True, reason="for the test")
    version = former_registry.publish(lease, checkpoint.load(former_checkpoint), lambda served: decision)
    # then
    assert (lease.run.id, lease.run.attempt, lease.run.step, lease.run.recipe) == (2, 2, 500, RECIPE)
    assert snapshot is not None
    assert (snapshot.step, snapshot.state) == (500, b"the state of a training")
    assert (version.version, version.run_id) == (3, 2)
    assert former_registry.verify() == []
