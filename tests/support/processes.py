"""Real `python -m training` processes for tests, and a way to wait for them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
DEADLINE_S = 600
"""TensorFlow alone takes 5 seconds to import, and a hundred times as long where many processes want the CPU."""

MAX_PAUSE_S = 0.2


def pauses() -> Iterator[float]:
    """Yield the seconds to sleep between looks: first 10 ms, then ever longer, so that a long wait takes little CPU."""
    pause_s = 0.01
    while True:
        yield pause_s
        pause_s = min(1.2 * pause_s, MAX_PAUSE_S)


def wait_until(look: Callable[[], T], what: str) -> T:
    """Call `look` until it returns something true, and return that.

    Raises:
        TimeoutError: it did not within DEADLINE_S.
    """
    deadline = time.monotonic() + DEADLINE_S
    for pause_s in pauses():
        if seen := look():
            return seen
        if time.monotonic() > deadline:
            break
        time.sleep(pause_s)
    raise TimeoutError(f"waited {DEADLINE_S} s until {what}")


def run_training(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m training` and wait until it ends."""
    return subprocess.run(
        [sys.executable, "-m", "training", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=2 * DEADLINE_S,
        check=False,
    )


@dataclass(frozen=True)
class Started:
    process: subprocess.Popen[bytes]
    log_file: Path

    @property
    def log(self) -> str:
        """Its output so far."""
        return self.log_file.read_text()

    def end(self) -> int:
        """Wait until it ends; return its exit code, negative for the signal that killed it."""
        return self.process.wait(DEADLINE_S)


@contextmanager
def start_training(folder: Path, *arguments: str, **environment: str) -> Iterator[Started]:
    """Start `python -m training`, with its log in `folder`; kill it at the end if it still runs."""
    log_file = folder / f"trainer-{time.monotonic_ns()}.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "training", *arguments],
            env={**os.environ, **environment},
            stdout=log,
            stderr=log,
        )
        try:
            yield Started(process, log_file)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


def without_module(folder: Path, name: str) -> dict[str, str]:
    """Return environment variables for a process in which the module `name` cannot be imported."""
    package = folder / "missing" / name
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        f'raise ModuleNotFoundError("No module named {name!r}", name={name!r})\n', encoding="utf-8"
    )
    return {"PYTHONPATH": os.pathsep.join([str(package.parent), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)}
