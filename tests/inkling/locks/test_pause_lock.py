import fcntl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from inkling.locks.pause_lock import PauseLock
from tests.support.concurrency import in_threads
from tests.support.processes import wait_until

HOLD = """
import sys
from pathlib import Path
from inkling.locks.pause_lock import PauseLock
pause_lock = PauseLock(Path(sys.argv[1]))
assert pause_lock.hold()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def trainer(tmp_path: Path) -> Iterator[PauseLock]:
    with closing(PauseLock(tmp_path)) as pause_lock:
        yield pause_lock


def test_lock_is_held_until_the_last_server_releases_it(tmp_path: Path, trainer: PauseLock) -> None:
    with ExitStack() as stack:
        first, second = (stack.enter_context(closing(PauseLock(tmp_path))) for _ in range(2))
        assert not trainer.is_held()
        assert first.hold()
        assert second.hold()
        assert first.hold()  # holding it twice is harmless
        first.release()
        assert trainer.is_held()
        second.release()
        assert not trainer.is_held()
        second.release()
        assert first.hold()
    assert not trainer.is_held()


def test_lock_of_a_killed_server_is_released(tmp_path: Path, trainer: PauseLock) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout
        assert server.stdout.readline() == "held\n"
        assert trainer.is_held()
        server.kill()
    assert not trainer.is_held()


def test_trainers_that_check_the_lock_at_the_same_time_do_not_pause_each_other(tmp_path: Path) -> None:
    paused: list[bool] = []

    def check(_: int) -> None:
        with closing(PauseLock(tmp_path)) as pause_lock:
            paused.extend(pause_lock.is_held() for _ in range(200))

    in_threads(4, check)
    assert paused == [False] * 800


def test_lock_that_a_trainer_is_checking_cannot_be_held_until_later(tmp_path: Path, trainer: PauseLock) -> None:
    with closing(PauseLock(tmp_path)) as server:
        with (tmp_path / "pause.lock").open("w") as checking:
            fcntl.flock(checking, fcntl.LOCK_EX)
            assert not server.hold()
        wait_until(server.hold, "it can be held")
        assert trainer.is_held()
