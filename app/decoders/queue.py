"""The queue of the decoder processes: bounded, and fair to small pictures."""

import asyncio
import heapq
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

from app.decoders.shares import Share
from app.decoders.work import Decoded, Picture, Task
from app.errors import OverloadedError

SMALL_S = 0.05
"""A request that takes less CPU time, by estimate, is small: one process is kept for such."""
AGING = 10
"""A request lets those pass that come up to this many times its own CPU time later, if they take less."""
MAX_WAIT_S = 10
"""Work that waits, in seconds until its turn; more is refused."""
MAX_WAITING_BYTES = 32 << 20
"""Bytes of the files that wait in each lane."""


@dataclass
class Request:
    """One request's share of the decoders."""

    task: Task
    cpu_s: float
    """CPU time that is left to it."""
    is_small: bool
    batches: int
    """That have not begun."""

    def grant(self, batch: "Batch") -> float:
        """Return the CPU time of a batch that begins, which it takes from the rest: at least an equal share of it."""
        share = self.cpu_s / max(1, self.batches)
        granted = min(self.cpu_s, max(share, 0.5 + AGING * batch.seconds))
        self.batches -= 1
        self.cpu_s -= granted
        return granted


@dataclass(eq=False)
class Batch:
    """Some pictures of a request, which one process does together."""

    request: Request
    numbers: range
    """Of its pictures in the request, from 1."""
    pictures: Sequence[Picture]
    seconds: float
    memory_bytes: int
    body_bytes: int
    is_waiting: bool = True
    result: asyncio.Future[Decoded] = field(default_factory=asyncio.Future)


class Lane:
    """The batches of small or of large requests that wait, the first to be done first."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Batch]] = []
        self._numbers = count()
        self.seconds = 0.0
        """Estimated CPU time of all that waits."""
        self.body_bytes = 0

    def __len__(self) -> int:
        return len(self._heap)

    def put(self, batch: Batch, due: float) -> None:
        heapq.heappush(self._heap, (due, next(self._numbers), batch))
        self.seconds += batch.seconds
        self.body_bytes += batch.body_bytes

    def due(self) -> float:
        """Return the due time of the first batch that somebody still waits for; infinity if there is none."""
        while self._heap and self._heap[0][2].result.done():
            self.take()
        return self._heap[0][0] if self._heap else float("inf")

    def first(self) -> Batch:
        return self._heap[0][2]

    def take(self) -> Batch:
        batch = heapq.heappop(self._heap)[2]
        if batch.is_waiting:
            self._forget(batch)
        return batch

    def drop(self, batch: Batch) -> None:
        """Free what a batch holds for which nobody waits any more; it stays in the heap until its turn."""
        if batch.is_waiting:
            self._forget(batch)
            batch.pictures = ()

    def _forget(self, batch: Batch) -> None:
        batch.is_waiting = False
        self.seconds -= batch.seconds
        self.body_bytes -= batch.body_bytes


class WorkQueue:
    """Owns what waits: small and large requests in a lane each.

    Args:
        processes: how many do large work.
        memory_bytes: that all running batches may take together, by estimate.
    """

    def __init__(self, processes: int, memory_bytes: int) -> None:
        self._processes = processes
        self._memory_bytes = memory_bytes
        self._used_bytes = 0
        self._slowness = {True: 1.0, False: 1.0}
        """By lane, small or not: measured over estimated time, a moving average."""
        self._lanes = {True: Lane(), False: Lane()}

    def __len__(self) -> int:
        return sum(map(len, self._lanes.values()))

    def put(self, task: Task, shares: Sequence[Share], cpu_s: float) -> list[Batch]:
        """Add the pictures of a request, and return its batches.

        Raises:
            OverloadedError: too much waits already.
        """
        is_small = sum(share.seconds for share in shares) < SMALL_S
        request = Request(task, cpu_s, is_small, batches=len(shares))
        batches = [Batch(request, *share) for share in shares]
        lane = self._lanes[request.is_small]
        self._check_room(lane, request, sum(batch.body_bytes for batch in batches))
        due = time.monotonic()
        for batch in batches:
            due += AGING * batch.seconds
            lane.put(batch, due)
        return batches

    def take(self, *, only_small: bool) -> Batch | None:
        """Return the next batch for a process, None if none waits or memory does not suffice. `done` must follow."""
        lanes = [self._lanes[True]] if only_small else sorted(self._lanes.values(), key=Lane.due)
        for lane in lanes:
            if lane.due() == float("inf"):
                continue
            needed = min(lane.first().memory_bytes, self._memory_bytes)
            if only_small or not self._used_bytes or self._used_bytes + needed <= self._memory_bytes:
                self._used_bytes += needed
                return lane.take()
        return None

    def drop(self, batch: Batch) -> None:
        """Free a batch for which nobody waits any more, if it was not taken."""
        self._lanes[batch.request.is_small].drop(batch)

    def done(self, batch: Batch, measured_s: float) -> None:
        """Record that a batch is done, and what it took."""
        self._used_bytes -= min(batch.memory_bytes, self._memory_bytes)
        slowness = measured_s / max(batch.seconds, 1e-3)
        self._slowness[batch.request.is_small] += 0.2 * (slowness - self._slowness[batch.request.is_small])

    def _check_room(self, lane: Lane, request: Request, body_bytes: int) -> None:
        if not len(lane):
            return
        wait_s = lane.seconds * self._slowness[request.is_small] / self._processes
        waiting_bytes = lane.body_bytes + body_bytes
        if wait_s > MAX_WAIT_S or waiting_bytes > MAX_WAITING_BYTES:
            raise OverloadedError(
                f"pictures of {lane.body_bytes} bytes wait already, for {wait_s:.1f} s; the limits are "
                f"{MAX_WAITING_BYTES} bytes and {MAX_WAIT_S} s; try again later",
                retry_after_s=max(wait_s / 2, 1),
            )
