"""The work of all connections in one turn of the event loop, and its limit."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

STARTS_PER_TURN: Final = 24
DIRECT_COST: Final = 2
QUICK_COST: Final = 3
OTHER_COST: Final = 6
CONNECTION_COST: Final = 3
"""In units of some 25 us of CPU time: of a direct answer, of a prediction of one image by the application, of any other
request, and of a connection that is made or ends.
"""
READS_PER_TURN: Final = 4
"""Connections whose reading goes on; each may bring 256 KiB."""


class Turns:
    """Does at most so many things in each turn of the event loop, in the order in which they come.

    However many requests and bytes arrive at once, a turn stays short. A new connection needs several turns until its
    first request is answered, so that the length of a turn decides when a probe is answered.
    """

    def __init__(self, per_turn: int) -> None:
        self._per_turn = self._left = per_turn
        self._is_counting = False
        self._waiting: deque[tuple[Callable[[Any], int], Any]] = deque()

    def add(self, act: Callable[[Any], int], subject: Any, loop: asyncio.AbstractEventLoop) -> None:
        """Call `act(subject)` now, or in one of the next turns; it returns its cost: 0 if nothing was left to do."""
        self._count(loop)
        if self._left <= 0 or self._waiting:
            self._waiting.append((act, subject))
        else:
            self._left -= act(subject)

    def spend(self, cost: int, loop: asyncio.AbstractEventLoop) -> None:
        """Count what cannot wait: as much less is done in this turn, and in the next one."""
        self._count(loop)
        self._left -= cost

    def _count(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._is_counting:
            self._is_counting = True
            loop.call_soon(self._begin_turn, loop)

    def _begin_turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._left = max(1, self._per_turn + min(0, self._left))
        try:
            while self._waiting and self._left > 0:
                act, subject = self._waiting.popleft()
                self._left -= act(subject)
        finally:  # the next turn must come even if an act fails
            self._is_counting = self._left < self._per_turn or bool(self._waiting)
            if self._is_counting:
                loop.call_soon(self._begin_turn, loop)
