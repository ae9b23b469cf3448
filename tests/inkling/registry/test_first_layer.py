"""The first layer's weights that a run shows while it is trained."""

from collections.abc import Callable
from pathlib import Path

import pytest

from inkling.errors import LeaseLostError
from inkling.network.checkpoint import Checkpoint
from inkling.network.first_layer import FirstLayer
from inkling.registry.records import Lease
from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from tests.support.leases import OWNER, lease, not_promoted, queue
from tests.support.networks import make_checkpoint

LAYER = FirstLayer(100, 0.5, bytes(784 * 128))
LATER = FirstLayer(200, 0.75, b"\x7f" * (784 * 128))


@pytest.fixture
def shown(registry: Registry) -> Lease:
    queue(registry)
    leased = lease(registry)
    registry.runs.show_first_layer(leased, LAYER)
    return leased


def test_newer_weights_replace_the_older_ones(registry: Registry, shown: Lease) -> None:
    assert registry.runs.first_layer(1) == LAYER
    registry.runs.show_first_layer(shown, LATER)
    assert registry.runs.first_layer(1) == LATER
    assert registry.runs.get(1).step == 0  # progress is recorded apart
    assert registry.verify() == []


@pytest.mark.parametrize(
    "end",
    [
        lambda registry, leased: registry.runs.cancel(1),
        lambda registry, leased: registry.runs.fail(leased, "internal", "for the test"),
        lambda registry, leased: registry.runs.release(leased),
        lambda registry, leased: registry.publish(leased, make_checkpoint(), not_promoted),
    ],
    ids=["cancelled", "failed", "released", "succeeded"],
)
def test_run_that_is_no_longer_trained_shows_no_weights(
    registry: Registry, checkpoint: Checkpoint, shown: Lease, end: Callable[[Registry, Lease], object]
) -> None:
    registry.versions.add_first(checkpoint)
    end(registry, shown)
    assert registry.runs.first_layer(1) is None
    with pytest.raises(LeaseLostError):
        registry.runs.show_first_layer(shown, LATER)
    assert registry.runs.first_layer(1) is None


def test_run_whose_trainer_died_shows_the_last_weights_until_it_is_queued_again(
    registry: Registry, shown: Lease
) -> None:
    registry.runs.expire_leases(OWNER)
    assert registry.runs.first_layer(1) == LAYER
    lease(registry)
    assert registry.runs.first_layer(1) is None


def test_copies_of_a_registry_have_the_weights(
    registry: Registry, shown: Lease, store: StoreSettings, tmp_path: Path
) -> None:
    registry.runs.expire_leases(OWNER)
    other = Registry(f"sqlite:///{tmp_path / 'other.db'}")
    assert registry.copy_to(other) == []
    assert other.runs.first_layer(1) == LAYER
    other.close()
    assert registry.back_up(tmp_path / "backup.db") == []
    registry.runs.cancel(1)
    registry.restore(tmp_path / "backup.db", store.data_dir)
    assert registry.runs.first_layer(1) == LAYER
