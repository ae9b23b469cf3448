"""The first layer's weights that a trainer shows while it trains."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing

import pytest

from inkling.mnist import Dataset
from inkling.network.checkpoint import load
from inkling.network.first_layer import FirstLayer
from inkling.registry.records import Lease, Progress
from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from tests.support.networks import random_parameters
from tests.support.runs import LONG_S, OWNER, SHORT, claim, execute, queue
from tests.support.trainings import train
from training.process import StopSignal
from training.snapshot import TrainingState
from training.timings import Timings
from training.weights_writer import THREAD_NAME, WeightsWriter
from training.worker import Worker

LONGER = SHORT.with_overrides({"training_steps": 200})


def state_at(step: int) -> Callable[[], TrainingState]:
    return lambda: TrainingState(step, 1.0, random_parameters(step))


def layer_at(step: int) -> FirstLayer:
    return FirstLayer.from_tensors(step, random_parameters(step))


@pytest.fixture
def lease(registry: Registry) -> Lease:
    return claim(registry)


@pytest.fixture
def writer(registry: Registry, lease: Lease) -> WeightsWriter:
    return WeightsWriter(registry, lease, spacing_s=0)


@pytest.mark.train
def test_run_shows_its_weights_after_each_display_step_and_none_when_it_has_ended(
    registry: Registry, store: StoreSettings, data: Dataset
) -> None:
    # given: a trainer that makes one snapshot per hour
    worker = Worker(registry, store, StopSignal(), Timings(weights_s=0, snapshot_s=3600))
    run = queue(registry, LONGER)
    leased = registry.runs.claim(LONG_S, OWNER)
    assert leased is not None
    seen: list[FirstLayer | None] = []

    def look(progress: Progress) -> None:
        for thread in threading.enumerate():
            if thread.name == THREAD_NAME:
                thread.join()
        seen.append(registry.runs.first_layer(run.id))

    # when
    ended = worker.train(leased, look)
    # then
    assert [layer and layer.step for layer in seen] == list(range(20, 201, 20))
    assert len({layer.content for layer in seen if layer}) == len(seen)
    assert registry.runs.first_layer(run.id) is None
    assert registry.verify() == []
    # then: they were those of the network, which learned what it learns when nobody looks
    published = load(registry.versions.checkpoint(ended.version or 0)).parameters
    assert seen[-1] == FirstLayer.from_tensors(200, published)
    alone = train(LONGER, data).parameters
    assert {name: published[name].tobytes() for name in alone} == {name: alone[name].tobytes() for name in alone}


def test_weights_are_dropped_while_others_are_being_written(
    registry: Registry, store: StoreSettings, writer: WeightsWriter
) -> None:
    with closing(sqlite3.connect(store.data_dir / "inkling.db", isolation_level=None)) as slow:
        slow.execute("BEGIN IMMEDIATE")
        writer.offer(state_at(100))
        writer.offer(state_at(200))
        slow.execute("ROLLBACK")
    writer.close()
    assert registry.runs.first_layer(1) == layer_at(100)


def test_weights_are_dropped_while_the_registry_is_away(
    registry: Registry, store: StoreSettings, writer: WeightsWriter
) -> None:
    execute(store, "ALTER TABLE runs RENAME TO hidden")
    writer.offer(state_at(100))
    writer.close()
    execute(store, "ALTER TABLE hidden RENAME TO runs")
    assert registry.runs.first_layer(1) is None
    # when: it is back
    writer.offer(state_at(200))
    writer.close()
    assert registry.runs.first_layer(1) == layer_at(200)


def test_weights_that_come_too_soon_are_dropped(registry: Registry, lease: Lease) -> None:
    writer = WeightsWriter(registry, lease, spacing_s=3600)
    for step in (100, 200):
        writer.offer(state_at(step))
        writer.close()
    assert registry.runs.first_layer(1) == layer_at(100)


def test_run_that_was_cancelled_shows_none(registry: Registry, writer: WeightsWriter) -> None:
    registry.runs.cancel(1)
    writer.offer(state_at(100))
    writer.close()
    assert registry.runs.first_layer(1) is None


def test_weights_are_those_of_the_averages_if_there_are_any(
    registry: Registry, lease: Lease, writer: WeightsWriter
) -> None:
    averages = {f"averages/{name}": value for name, value in random_parameters(7).items()}
    writer.offer(lambda: TrainingState(100, 1.0, random_parameters(100), averages))
    writer.close()
    assert registry.runs.first_layer(lease.run.id) == FirstLayer.from_tensors(100, random_parameters(7))
