"""`python -m tests.support.trainers`: starts trainers, some of which kill themselves at a given point.

TensorFlow takes 5 seconds to import. This process imports it once, and forks a trainer for each line of JSON that it
reads; it prints the exit code of the trainer, negative for the signal that killed it.
"""

import json
import logging.config
import os
import re
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from inkling.logging_config import logging_config
from inkling.settings import StoreSettings

Moment = Literal["before statement", "after statement", "before commit", "after commit"]


@dataclass(frozen=True)
class Point:
    """The point at which a trainer kills itself with SIGKILL."""

    name: str
    statement: str
    """A pattern that the SQL statement matches."""
    moment: Moment
    """The moment of that statement or of its transaction."""
    count: int = 1
    """Which of the matching statements, counted from 1."""

    def __str__(self) -> str:
        return f"{self.name}, {self.moment}"


@dataclass(frozen=True)
class Orders:
    settings: dict[str, str]
    log: str
    point: Point | None = None
    max_file_bytes: int | None = None
    """The size at which no file can grow further, as on a full disk."""
    disk_full_s: float = 1.0
    """How long a run waits for room on it."""


class Trainers:
    """Starts trainers, one at a time."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path) -> None:
        self._process = process
        self.log_file = folder / "log"

    @property
    def pid(self) -> int:
        """The process id of the current trainer."""
        return int((self.log_file.parent / "log.pid").read_text())

    @property
    def log(self) -> str:
        """The standard error of the last trainer."""
        return self.log_file.read_text()

    def work(
        self,
        store: StoreSettings,
        point: Point | None = None,
        max_file_bytes: int | None = None,
        disk_full_s: float = 1.0,
    ) -> int:
        """Start a trainer that trains until no run is queued, or until it dies; return its exit code."""
        settings = {
            "data_dir": str(store.data_dir),
            "mnist_dir": str(store.mnist_dir),
            "database_url": store.registry_url,
        }
        orders = Orders(settings, str(self.log_file), point, max_file_bytes, disk_full_s)
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(asdict(orders)) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@contextmanager
def start_trainers(folder: Path) -> Iterator[Trainers]:
    with (
        (folder / "trainers.log").open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-m", "tests.support.trainers"],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        try:
            yield Trainers(process, folder)
        finally:
            if process.stdin:
                process.stdin.close()  # it ends with its input


def kill_at(point: Point) -> None:
    """Let this process kill itself at a point."""
    from sqlalchemy import Connection, Engine, Pool, event

    pattern, passed, has_matched, has_committed = re.compile(point.statement, re.DOTALL), 0, False, False

    def matches(statement: str) -> bool:
        return pattern.search(statement) is not None

    def before(connection: Connection, cursor: object, statement: str, *_: object) -> None:
        nonlocal passed, has_matched
        if matches(statement):
            passed += 1
            has_matched = passed == point.count
            if has_matched and point.moment == "before statement":
                os.kill(os.getpid(), signal.SIGKILL)

    def after(connection: Connection, cursor: object, statement: str, *_: object) -> None:
        if has_matched and matches(statement) and point.moment == "after statement":
            os.kill(os.getpid(), signal.SIGKILL)

    def commit(connection: Connection) -> None:
        nonlocal has_committed
        if has_matched and point.moment == "before commit":
            os.kill(os.getpid(), signal.SIGKILL)
        has_committed = has_matched

    def checkin(*_: object) -> None:
        if has_committed and point.moment == "after commit":
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", before)
    event.listen(Engine, "after_cursor_execute", after)
    event.listen(Engine, "commit", commit)
    event.listen(Pool, "checkin", checkin)


def train(orders: Orders) -> None:
    """Train the queued runs, with a snapshot at every display step."""
    from training.timings import Timings
    from training.worker import work

    log = os.open(orders.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for stream in (1, 2):
        os.dup2(log, stream)
    Path(f"{orders.log}.pid").write_text(str(os.getpid()))
    logging.config.dictConfig(logging_config("text", "info"))
    if orders.max_file_bytes is not None:
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write fails instead, as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (orders.max_file_bytes, resource.RLIM_INFINITY))
    if orders.point:
        kill_at(orders.point)
    settings = StoreSettings.model_validate(orders.settings)
    work(
        settings,
        idle_exit_s=0.5,
        timings=Timings(snapshot_s=0, away_s=1.0, grace_s=0, poll_s=0.1, disk_full_s=orders.disk_full_s),
    )


def main() -> None:
    from training import loop  # noqa: F401  TensorFlow, once for all trainers

    for line in sys.stdin:
        read = json.loads(line)
        point = Point(**read.pop("point")) if read["point"] else read.pop("point")
        orders = Orders(**read, point=point)
        pid = os.fork()
        if pid == 0:
            code = 0
            try:
                train(orders)
            except BaseException:
                traceback.print_exc()
                code = 70
            finally:
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201  the answer


if __name__ == "__main__":
    main()
