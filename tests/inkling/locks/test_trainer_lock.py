import multiprocessing
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from inkling.locks.trainer_lock import TrainerLock
from inkling.network.recipe import TUTORIAL
from inkling.registry.records import Lease
from inkling.registry.registry import Registry
from tests.support.postgres import BACKENDS
from tests.support.processes import DEADLINE_S

spawn = multiprocessing.get_context("spawn")


def hold(data_dir: Path, held: Event) -> None:
    """Be a trainer that holds the lock until it is killed."""
    assert TrainerLock(data_dir).acquire(timeout_s=0)
    held.set()
    spawn.Event().wait()


def test_lock_of_no_trainer_is_free_and_names_nobody(tmp_path: Path) -> None:
    lock = TrainerLock(tmp_path / "new")
    assert (lock.is_held(), lock.identity()) == (False, None)


def test_one_process_holds_the_lock_until_it_dies(tmp_path: Path) -> None:
    # given: another process holds it
    held = spawn.Event()
    process = spawn.Process(target=hold, args=(tmp_path, held))
    process.start()
    assert held.wait(DEADLINE_S)
    lock = TrainerLock(tmp_path)
    identity = lock.identity()
    # then
    assert identity
    assert lock.is_held()
    assert lock.acquire(timeout_s=0.01) is None
    # when
    process.kill()
    process.join(DEADLINE_S)
    # then: it is free at once, and whoever takes it next has the same name
    assert not lock.is_held()
    assert lock.identity() == identity
    assert lock.acquire(timeout_s=0) == identity
    assert TrainerLock(tmp_path).is_held()


def test_looking_at_the_lock_does_not_take_it(tmp_path: Path) -> None:
    assert not TrainerLock(tmp_path).is_held()
    assert TrainerLock(tmp_path).acquire(timeout_s=0)


def test_two_data_directories_have_trainers_of_two_names(tmp_path: Path) -> None:
    one, other = TrainerLock(tmp_path / "one").acquire(0), TrainerLock(tmp_path / "other").acquire(0)
    assert one
    assert other
    assert one != other


def claimed(registry: Registry, owner: str) -> Lease:
    registry.runs.queue(TUTORIAL, "never", max_queued=9)
    claim = registry.runs.claim(600, owner)
    assert claim is not None
    return claim


@pytest.mark.parametrize("backend", BACKENDS)
def test_leases_of_a_dead_owner_end_at_once(registry: Registry) -> None:
    claim = claimed(registry, "dead")
    assert not registry.runs.has_work()
    registry.runs.expire_leases("dead")
    assert registry.runs.has_work()
    again = registry.runs.claim(600, "next")
    assert again is not None
    assert (again.run.id, again.run.attempt) == (claim.run.id, 2)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("owner", ["dea", "d%", "____", "", "dead-x", "another"])
def test_leases_of_others_go_on(registry: Registry, owner: str) -> None:
    claim = claimed(registry, "dead")
    registry.runs.expire_leases(owner)
    assert not registry.runs.has_work()
    assert registry.runs.get(claim.run.id) == claim.run


def test_ending_no_lease_is_no_error(registry: Registry) -> None:
    registry.runs.expire_leases("nobody")
    queued, _ = registry.runs.queue(TUTORIAL, "never", max_queued=9)
    registry.runs.expire_leases("nobody")
    assert registry.runs.get(queued.id) == queued
