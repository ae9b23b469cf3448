"""The reason why a queued run waits, in words."""

import dataclasses
import re
from datetime import timedelta

import pytest

from app.routes.train import describe_wait
from inkling.network.recipe import TUTORIAL
from inkling.registry.records import Run
from inkling.registry.registry import Registry


def queue(registry: Registry) -> Run:
    return registry.runs.queue(TUTORIAL, "never", max_queued=10)[0]


def test_run_waits_for_its_own_trainer_to_start(registry: Registry) -> None:
    waits_for = describe_wait(queue(registry), registry, is_own_trainer=True)
    assert waits_for == "waits for its trainer, which is starting"


@pytest.mark.parametrize("is_own_trainer", [True, False])
def test_run_waits_for_the_run_being_trained(registry: Registry, is_own_trainer: bool) -> None:
    first, second = queue(registry), queue(registry)
    lease = registry.runs.claim(lease_s=30, owner="a test")
    assert lease is not None
    waits_for = describe_wait(second, registry, is_own_trainer=is_own_trainer)
    assert waits_for == f"waits for run {first.id}, which is being trained"
    assert describe_wait(lease.run, registry, is_own_trainer=is_own_trainer) is None


def test_run_waits_for_one_of_the_runs_being_trained(registry: Registry) -> None:
    for _ in range(3):
        queue(registry)
    for _ in range(2):
        assert registry.runs.claim(lease_s=30, owner="a test", at_once=2)
    waits_for = describe_wait(registry.runs.get(3), registry, at_once=2, is_own_trainer=True)
    assert waits_for == "waits for one of the runs 1 and 2, which are being trained"
    waits_for = describe_wait(registry.runs.get(3), registry, at_once=3, is_own_trainer=True)
    assert waits_for == "waits for its trainer, which is starting"


def test_external_trainer_that_takes_no_run_is_reported_missing(registry: Registry) -> None:
    run = queue(registry)
    assert describe_wait(run, registry, is_own_trainer=False) == "waits for a trainer to take it"
    old = dataclasses.replace(run, requested_at=run.requested_at - timedelta(seconds=90))
    waits_for = describe_wait(old, registry, is_own_trainer=False)
    assert waits_for
    assert re.match("no trainer has taken it for 9[0-9] s; start one on this registry: `inkling worker`", waits_for)


@pytest.mark.parametrize("state", ["succeeded", "failed", "cancelled"])
def test_ended_run_waits_for_nothing(registry: Registry, state: str) -> None:
    run = dataclasses.replace(queue(registry), state=state)  # type: ignore[arg-type]  # one of its literals
    assert describe_wait(run, registry, is_own_trainer=False) is None
