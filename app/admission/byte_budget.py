"""The memory that the bodies of all requests in flight, and what is decoded from them, may take."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from app.errors import OverloadedError

SMALL_BODY_BYTES: Final = 64 << 10
"""Bodies up to this size, and those whose length is not known yet, have a reserve that larger ones cannot take."""
RESERVE_SHARE: Final = 4
"""The reserve is the budget divided by this."""
MEMORY_FACTORS: Final = {"application/json": 5, "multipart/form-data": 8}
"""The memory that a body takes with its arrays and its answer, in bytes per byte: measured at 15 MB of numbers, and at
10,000 small files.
"""
OTHER_FACTOR: Final = 3
SMALL_FACTOR: Final = 4
MAX_WAIT_S: Final = 5.0
"""Longest time that a large body waits for room, unread."""
MAX_WAITING: Final = 64
"""Large bodies that wait; more are refused at once."""
FIRST_HELD_S: Final = 1.0
"""Seconds that a large body is in flight, until some were measured."""


class ByteBudget:
    """Owns the count of bytes in flight in this process.

    Args:
        max_bytes: memory for bodies above SMALL_BODY_BYTES; one of them is always let in.
        clock: seconds that never go back.
    """

    def __init__(self, max_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = (max_bytes, max_bytes // RESERVE_SHARE)
        self._used = [0, 0]
        """Of the large bodies, and of the small ones."""
        self._clock = clock
        self._held_s = FIRST_HELD_S
        """Moving average of the seconds that a large body was in flight."""
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        """The large bodies that wait: the bytes that each needs, and its turn, for which they are taken."""

    @property
    def used(self) -> int:
        return sum(self._used)

    def enter(self, declared: int, content_type: bytes) -> "Reservation":
        """Let a large body in, or one of unknown length, before any of it is read.

        Args:
            declared: its length in bytes; 0 if it is not known.
            content_type: of the body, as it was sent.

        Raises:
            OverloadedError: the bodies in flight leave no room for it.
        """
        reservation = Reservation(self, declared, _factor(content_type), self._clock())
        self._take(reservation.is_small, reservation.bytes)
        return reservation

    async def enter_in_turn(self, declared: int, content_type: bytes) -> "Reservation":
        """As `enter`, but a large body waits for its room: a client that sends many is slowed, not refused.

        Raises:
            OverloadedError: there was no room for MAX_WAIT_S, or too many wait already.
        """
        count = declared * _factor(content_type)
        is_free = not self._waiting and self._has_room(is_small=False, count=count)
        if declared <= SMALL_BODY_BYTES or is_free or len(self._waiting) >= MAX_WAITING:
            return self.enter(declared, content_type)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((count, turn))
        try:
            async with asyncio.timeout(MAX_WAIT_S):
                await turn
        except (TimeoutError, asyncio.CancelledError) as error:
            if not turn.cancelled():  # its turn came at the same moment
                self._used[False] -= count
            self._give_turns()
            if isinstance(error, TimeoutError):
                raise self._no_room(is_small=False, count=count) from None
            raise
        return Reservation(self, declared, _factor(content_type), self._clock())

    def enter_small(self, declared: int) -> int:
        """Let a body of at most SMALL_BODY_BYTES in, by its declared length; return what `leave_small` takes.

        It does in 0.2 us what `enter` does in 2: most requests are small.

        Raises:
            OverloadedError: the small bodies in flight leave no room for it.
        """
        count = declared * SMALL_FACTOR
        used = self._used[True] + count
        if used > self._limits[True]:
            raise self._no_room(is_small=True, count=count)
        self._used[True] = used
        return count

    def leave_small(self, count: int) -> None:
        self._used[True] -= count

    def _has_room(self, is_small: bool, count: int) -> bool:  # noqa: FBT001  an index
        return not self._used[is_small] or self._used[is_small] + count <= self._limits[is_small]

    def _take(self, is_small: bool, count: int) -> None:  # noqa: FBT001  an index
        if not self._has_room(is_small, count):
            raise self._no_room(is_small, count)
        self._used[is_small] += count

    def _no_room(self, is_small: bool, count: int) -> OverloadedError:  # noqa: FBT001  an index
        return OverloadedError(
            f"this body would take {count} bytes of memory, and the bodies in flight take {self._used[is_small]} of "
            f"{self._limits[is_small]} (INKLING_MAX_BYTES_IN_FLIGHT); send it again later, or fewer images at a time",
            self._held_s,
        )

    def _give_back(self, is_small: bool, count: int) -> None:  # noqa: FBT001  an index
        self._used[is_small] -= count
        self._give_turns()

    def _give_turns(self) -> None:
        """Let in the large bodies whose turn it is, and forget those that nobody waits for any more."""
        while self._waiting and (
            self._waiting[0][1].done() or self._has_room(is_small=False, count=self._waiting[0][0])
        ):
            count, turn = self._waiting.popleft()
            if not turn.done():
                self._used[False] += count
                turn.set_result(None)

    def _observe(self, since: float) -> None:
        self._held_s += (self._clock() - since - self._held_s) / 8


class Reservation:
    """The bytes of one body in flight."""

    __slots__ = ("_budget", "_factor", "_since", "bytes", "is_small")

    def __init__(self, budget: ByteBudget, declared: int, factor: int, since: float) -> None:
        self._budget = budget
        self._factor = factor
        self._since = since
        self.bytes = declared * factor
        self.is_small = declared <= SMALL_BODY_BYTES

    def grow(self, received: int) -> None:
        """Count what has come of a body whose length was not declared.

        Raises:
            OverloadedError: there is no room for it; what was counted before still is.
        """
        needed = received * self._factor
        if needed <= self.bytes:
            return
        if self.is_small and received > SMALL_BODY_BYTES:
            self._budget._take(is_small=False, count=needed)
            self._budget._give_back(is_small=True, count=self.bytes)
            self.is_small = False
        else:
            self._budget._take(self.is_small, needed - self.bytes)
        self.bytes = needed

    def release(self) -> None:
        self._budget._give_back(self.is_small, self.bytes)
        if not self.is_small:
            self._budget._observe(self._since)
        self.bytes = 0


def _factor(content_type: bytes) -> int:
    media_type = content_type.partition(b";")[0].strip().lower().decode("latin-1")
    return MEMORY_FACTORS.get(media_type, OTHER_FACTOR)
