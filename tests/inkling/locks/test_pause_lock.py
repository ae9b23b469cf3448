import fcntl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from inkling.locks.pause_lock import PauseLock
from tests.support.processes import wait_until

HOLD = """
import sys
from pathlib import Path
from inkling.locks.pause_lock import PauseLock
pause_lock = PauseLock(Path(sys.argv[1]))
assert pause_lock.hold()
print("claimed", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def trainer(tmp_path: Path) -> Iterator[PauseLock]:
    with closing(PauseLock(tmp_path)) as pause_lock:
        yield pause_lock


def test_right_of_way_is_held_until_the_last_server_releases_it(tmp_path: Path, trainer: PauseLock) -> None:
    with ExitStack() as stack:
        first, second = (stack.enter_context(closing(PauseLock(tmp_path))) for _ in range(2))
        assert not trainer.is_held()
        assert first.hold()
        assert second.hold()
        assert first.hold()  # once more is harmless
        first.release()
        assert trainer.is_held()
        second.release()
        assert not trainer.is_held()
        second.release()
        assert first.hold()
    assert not trainer.is_held()


def test_claim_of_a_killed_server_ends_with_it(tmp_path: Path, trainer: PauseLock) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout
        assert server.stdout.readline() == "claimed\n"
        assert trainer.is_held()
        server.kill()
    assert not trainer.is_held()


def test_claim_in_the_moment_in_which_a_trainer_looks_fails_and_may_be_made_again(
    tmp_path: Path, trainer: PauseLock
) -> None:
    with closing(PauseLock(tmp_path)) as server:
        with (tmp_path / "pause.lock").open("w") as looking:
            fcntl.flock(looking, fcntl.LOCK_EX)
            assert not server.hold()
        wait_until(server.hold, "it can be claimed")
        assert trainer.is_held()
