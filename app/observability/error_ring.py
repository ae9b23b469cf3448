"""The newest errors that a process answered, in memory that the other processes of the server read."""

import json
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

SLOTS: Final = 31
SLOT_BYTES: Final = 512
COUNT_BYTES: Final = 8
RING_BYTES: Final = COUNT_BYTES + SLOTS * SLOT_BYTES


class RecentError(NamedTuple):
    """An error as it was answered: nothing that a client sent, except its request id."""

    at: float
    """Time of the clock."""
    request_id: str
    method: str
    route: str
    """The template of the path."""
    status: int
    problem: str
    """The slug of the problem's type."""


class ErrorRing:
    """Keeps the last SLOTS errors. One thread of one process writes; any process reads.

    Args:
        memory: RING_BYTES of it, zero at first.
    """

    def __init__(self, memory: memoryview) -> None:
        self._memory = memory

    def write(self, error: RecentError) -> None:
        """Add an error, in the place of the oldest one; one that is too long for a slot is left out."""
        line = json.dumps(error).encode()
        if len(line) > SLOT_BYTES:
            return
        count = self._count()
        start = COUNT_BYTES + count % SLOTS * SLOT_BYTES
        self._memory[start : start + SLOT_BYTES] = line.ljust(SLOT_BYTES)
        self._memory[:COUNT_BYTES] = struct.pack("q", count + 1)

    def read(self) -> Iterator[RecentError]:
        """Yield the errors, in no order. One that is being replaced at this moment is left out."""
        for slot in range(min(self._count(), SLOTS)):
            start = COUNT_BYTES + slot * SLOT_BYTES
            try:
                yield RecentError(*json.loads(bytes(self._memory[start : start + SLOT_BYTES])))
            except (ValueError, TypeError):  # half of it is written
                continue

    def _count(self) -> int:
        (count,) = struct.unpack("q", self._memory[:COUNT_BYTES])
        return int(count)
