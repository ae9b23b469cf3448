"""The order in which the requests of all connections begin."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

PER_TURN = 8
"""Requests that begin in one turn of the event loop."""
Begin = Callable[[RequestResponseCycle], None]
FIRST_PATHS: Final = frozenset(("/livez", "/readyz", "/metrics"))


class Starts:
    """Begins at most PER_TURN requests in each turn of the event loop, and probes before all others.

    However many requests arrive at once, a turn stays short. A new connection needs several turns until its first
    request is read, so that the length of a turn decides when a probe is answered.
    """

    def __init__(self) -> None:
        self._left = PER_TURN
        self._is_counting = False
        self._waiting: deque[tuple[RequestResponseCycle, Begin]] = deque()

    def add(self, cycle: RequestResponseCycle, begin: Begin, loop: asyncio.AbstractEventLoop) -> None:
        """Call `begin` now, or in one of the next turns, unless the client has left by then."""
        if not self._is_counting:
            self._is_counting = True
            loop.call_soon(self._begin_turn, loop)
        if cycle.scope["path"] in FIRST_PATHS:
            begin(cycle)
        elif self._left and not self._waiting:
            self._left -= 1
            begin(cycle)
        else:
            self._waiting.append((cycle, begin))

    def _begin_turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._left = PER_TURN
        while self._waiting and self._left:
            cycle, begin = self._waiting.popleft()
            if not cycle.disconnected:
                self._left -= 1
                begin(cycle)
        self._is_counting = self._left < PER_TURN
        if self._is_counting:
            loop.call_soon(self._begin_turn, loop)
