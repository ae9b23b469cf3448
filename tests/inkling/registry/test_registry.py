import pytest

from inkling.errors import UnknownRunError, UnknownVersionError
from inkling.network.checkpoint import Checkpoint
from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from tests.support.leases import lease, progress_at, promoted, queue


def test_reopened_registry_holds_everything(store: StoreSettings, registry: Registry, checkpoint: Checkpoint) -> None:
    queue(registry, "k")
    leased = lease(registry)
    registry.runs.record_progress(leased, progress_at(100))
    registry.publish(leased, checkpoint, promoted)
    again = Registry(store.registry_url)
    assert again.runs.newest(10) == registry.runs.newest(10)
    assert again.runs.progress(1) == registry.runs.progress(1)
    assert again.versions.newest(10) == registry.versions.newest(10)
    assert again.versions.promotions(10) == registry.versions.promotions(10)
    assert again.versions.checkpoint(1) == checkpoint.content
    again.close()


def test_unknown_run_or_version_is_named(registry: Registry) -> None:
    for ask in (registry.runs.get, registry.runs.cancel):
        with pytest.raises(UnknownRunError, match="there is no run 7"):
            ask(7)
    for look in (
        registry.versions.get,
        registry.versions.checkpoint,
        lambda version: registry.versions.promote(version, "for the test"),
    ):
        with pytest.raises(UnknownVersionError, match="there is no version 7"):
            look(7)
    assert registry.runs.progress(7) == []
