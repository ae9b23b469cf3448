"""A row of the scoreboard: an attack or a fault, what was done, a figure, its limit, and the verdict."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from types import FrameType

from benchmarks.scoreboard.arena import Arena

ROW_S = 150


class Verdict(StrEnum):
    HOLDS = "holds"
    FAILS = "fails"
    NOT_RUN = "not run"


class NotRunError(Exception):
    """The row cannot be run on this machine; the message says why."""


@dataclass(frozen=True)
class Measured:
    """The result of an attack: what was done, with its counts; the figure; whether it is within the limit."""

    done: str
    figure: str
    holds: bool


@dataclass(frozen=True)
class Row:
    name: str
    attack: str
    done: str
    figure: str
    limit: str
    verdict: Verdict


@dataclass(frozen=True)
class Attack:
    """One attack or fault, which makes a row when it is run."""

    name: str
    """In lower case with hyphens, for `--only`."""
    attack: str
    limit: str
    measure: Callable[[Arena], Measured]
    limit_s: int = ROW_S
    """After this time the row fails: nothing may take the scoreboard with it."""

    def run(self, arena: Arena) -> Row:
        """Return the row. A check that breaks is a row that fails, with the error as its figure."""
        try:
            with _deadline(self.limit_s):
                measured = self.measure(arena)
        except NotRunError as why:
            return self._row("", str(why), Verdict.NOT_RUN)
        except Exception as error:  # a server that has died shows itself in many ways
            return self._row("", f"{type(error).__name__}: {error}"[:300], Verdict.FAILS)
        return self._row(measured.done, measured.figure, Verdict.HOLDS if measured.holds else Verdict.FAILS)

    def not_run(self, why: str) -> Row:
        return self._row("", why, Verdict.NOT_RUN)

    def _row(self, done: str, figure: str, verdict: Verdict) -> Row:
        return Row(self.name, self.attack, done, figure, self.limit, verdict)


@contextmanager
def _deadline(seconds: int) -> Iterator[None]:
    def give_up(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"the row did not end within {seconds} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
