"""The renewal of a run's lease while it is trained."""

import logging
import threading
from collections.abc import Callable

import pytest

from inkling.registry.records import Run
from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from tests.support.processes import wait_until
from tests.support.runs import claim, execute
from training.heartbeat import THREAD_NAME, heartbeat

LEASE_S = 0.15


def is_beating() -> bool:
    return any(thread.name == THREAD_NAME for thread in threading.enumerate())


def test_lease_is_renewed_again_and_again(registry: Registry) -> None:
    lease = claim(registry, lease_s=0)

    def expiry_moved(since: Run) -> Callable[[], bool]:
        return lambda: registry.runs.get(1).lease_expires_at != since.lease_expires_at

    with heartbeat(registry, lease, LEASE_S):
        wait_until(expiry_moved(lease.run), "the lease is renewed")
        wait_until(expiry_moved(registry.runs.get(1)), "it is renewed again")
    assert not is_beating()


def test_heartbeat_ends_with_the_lease(registry: Registry) -> None:
    lease = claim(registry)
    with heartbeat(registry, lease, LEASE_S):
        assert is_beating()
        registry.runs.cancel(1)
        wait_until(lambda: not is_beating(), "the heartbeat ends")
    assert registry.runs.get(1).state == "cancelled"


def test_heartbeat_survives_an_unreachable_registry(
    registry: Registry, store: StoreSettings, caplog: pytest.LogCaptureFixture
) -> None:
    lease = claim(registry)
    with caplog.at_level(logging.WARNING), heartbeat(registry, lease, LEASE_S):
        # given: a database that answers with errors for a while
        execute(store, "ALTER TABLE runs RENAME TO hidden")
        wait_until(lambda: "run 1: cannot renew its lease, will retry" in caplog.text, "a renewal fails")
        # when
        execute(store, "ALTER TABLE hidden RENAME TO runs")
        before = registry.runs.get(1).lease_expires_at
        # then
        wait_until(lambda: registry.runs.get(1).lease_expires_at != before, "the lease is renewed again")
