"""What all connections may do in one turn of the event loop."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

STARTS_PER_TURN: Final = 4
"""Requests that begin."""
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
        self._waiting: deque[tuple[Callable[[Any], bool], Any]] = deque()

    def add(self, act: Callable[[Any], bool], subject: Any, loop: asyncio.AbstractEventLoop) -> None:
        """Call `act(subject)` now, or in one of the next turns; it returns False if there was nothing left to do."""
        if not self._is_counting:
            self._is_counting = True
            loop.call_soon(self._begin_turn, loop)
        if self._left <= 0 or self._waiting:
            self._waiting.append((act, subject))
        elif act(subject):
            self._left -= 1

    def spend(self, loop: asyncio.AbstractEventLoop) -> None:
        """Count what cannot wait: as much less is done in this turn, and in the next one."""
        self._left -= 1
        if not self._is_counting:
            self._is_counting = True
            loop.call_soon(self._begin_turn, loop)

    def _begin_turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._left = max(1, self._per_turn + min(0, self._left))
        while self._waiting and self._left > 0:
            act, subject = self._waiting.popleft()
            if act(subject):
                self._left -= 1
        self._is_counting = self._left < self._per_turn
        if self._is_counting:
            loop.call_soon(self._begin_turn, loop)
