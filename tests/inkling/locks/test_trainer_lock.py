import multiprocessing
from multiprocessing.synchronize import Event
from pathlib import Path

from inkling.locks.trainer_lock import TrainerLock
from tests.support.processes import DEADLINE_S

spawn = multiprocessing.get_context("spawn")


def hold(data_dir: Path, held: Event) -> None:
    """Hold the lock, as a trainer does, until this process is killed."""
    assert TrainerLock(data_dir).acquire(timeout_s=0)
    held.set()
    spawn.Event().wait()


def test_new_lock_is_free_and_names_no_owner(tmp_path: Path) -> None:
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
    # then: it is free at once, and the next trainer has the same name
    assert not lock.is_held()
    assert lock.identity() == identity
    assert lock.acquire(timeout_s=0) == identity
    assert TrainerLock(tmp_path).is_held()


def test_checking_the_lock_does_not_acquire_it(tmp_path: Path) -> None:
    assert not TrainerLock(tmp_path).is_held()
    assert TrainerLock(tmp_path).acquire(timeout_s=0)


def test_trainers_of_one_data_directory_have_locks_and_names_of_their_own(tmp_path: Path) -> None:
    names = [TrainerLock(tmp_path, number).acquire(0) for number in (1, 2, 3)]
    assert len({*names, None}) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["trainer-2.lock", "trainer-3.lock", "trainer.lock"]


def test_trainers_of_two_data_directories_have_different_names(tmp_path: Path) -> None:
    one, other = TrainerLock(tmp_path / "one").acquire(0), TrainerLock(tmp_path / "other").acquire(0)
    assert one
    assert other
    assert one != other
