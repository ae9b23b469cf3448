import fcntl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from inkling.locks.pause_lock import RightOfWay
from tests.support.processes import wait_until

HOLD = """
import sys
from pathlib import Path
from training.right_of_way import RightOfWay
right_of_way = RightOfWay(Path(sys.argv[1]))
assert right_of_way.claim()
print("claimed", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def trainer(tmp_path: Path) -> Iterator[RightOfWay]:
    with closing(RightOfWay(tmp_path)) as right_of_way:
        yield right_of_way


def test_right_of_way_is_claimed_until_the_last_server_releases_it(tmp_path: Path, trainer: RightOfWay) -> None:
    with ExitStack() as stack:
        first, second = (stack.enter_context(closing(RightOfWay(tmp_path))) for _ in range(2))
        assert not trainer.is_claimed()
        assert first.claim()
        assert second.claim()
        assert first.claim()  # once more is harmless
        first.release()
        assert trainer.is_claimed()
        second.release()
        assert not trainer.is_claimed()
        second.release()
        assert first.claim()
    assert not trainer.is_claimed()


def test_claim_of_a_killed_server_ends_with_it(tmp_path: Path, trainer: RightOfWay) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout
        assert server.stdout.readline() == "claimed\n"
        assert trainer.is_claimed()
        server.kill()
    assert not trainer.is_claimed()


def test_claim_in_the_moment_in_which_a_trainer_looks_fails_and_may_be_made_again(
    tmp_path: Path, trainer: RightOfWay
) -> None:
    with closing(RightOfWay(tmp_path)) as server:
        with (tmp_path / "right_of_way.lock").open("w") as looking:
            fcntl.flock(looking, fcntl.LOCK_EX)
            assert not server.claim()
        wait_until(server.claim, "it can be claimed")
        assert trainer.is_claimed()
