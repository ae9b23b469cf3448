"""The progress of training runs, read from the registry once for all streams that show it."""

import asyncio
import contextlib
import json
import logging
from bisect import bisect_right
from collections.abc import AsyncIterator

from fastapi.sse import format_sse_event

from app.errors import OverloadedError
from app.schemas import RunProgress, RunStages, RunSummary
from inkling.errors import UnknownRunError
from inkling.registry.records import Progress, Run, Stage
from inkling.registry.registry import Registry

POLL_S = 0.3
RECONNECT_S = 5.0
MAX_EVENTS = 100
"""Sent at a time: what a client that reads slowly may hold in memory."""

logger = logging.getLogger(__name__)


class RunFeed:
    """The events of one run, encoded once, and a way to wait for more. `RunFeeds` owns it and writes to it."""

    def __init__(self) -> None:
        self.streams = 0
        self.end: bytes | None = None
        """The event after the last progress; None while the run goes on."""
        self.is_closed = False
        """No more events come, although the run goes on: the server stops, or the run has left the registry."""
        self.preparing: str | None = None
        """What the trainer does before the first step, in words."""
        self.stages: tuple[Stage, ...] = ()
        """What it did so far."""
        self.change: asyncio.Future[None] = asyncio.Future()
        """Done when there is more, or the feed is closed; the next change has a future of its own."""
        self._steps: list[int] = []
        self._events: list[bytes] = []

    @property
    def step(self) -> int:
        return self._steps[-1] if self._steps else 0

    def after(self, step: int) -> tuple[int, bytes]:
        """Return the progress events after a step, encoded, at most MAX_EVENTS, and the step of the last of them."""
        first = bisect_right(self._steps, step)
        steps = self._steps[first : first + MAX_EVENTS]
        return (steps[-1] if steps else step), b"".join(self._events[first : first + MAX_EVENTS])

    def publish(self, run: Run, progress: list[Progress]) -> None:
        for item in progress:
            if item.step > self.step:  # two readers may have read it
                data = RunProgress.model_validate(item).model_dump_json()
                self._steps.append(item.step)
                self._events.append(format_sse_event(event="progress", id=str(item.step), data_str=data))
        if run.state not in ("queued", "running"):
            self.end = format_sse_event(event="end", data_str=RunSummary.model_validate(run).model_dump_json())
        is_news = run.preparing not in (None, self.preparing) or run.stages != self.stages
        self.preparing, self.stages = run.preparing, run.stages
        if progress or self.end or is_news:
            self._wake()

    def close(self) -> None:
        self.is_closed = True
        self._wake()

    def _wake(self) -> None:
        change, self.change = self.change, asyncio.Future()
        change.set_result(None)


class FeedReader:
    """A client's place in a feed.

    Args:
        feed: to follow.
        step: the last one that the client has.
    """

    def __init__(self, feed: RunFeed, step: int) -> None:
        self.feed = feed
        self.is_done = False
        """Whether no more events come."""
        self._step = step
        self._preparing: str | None = None
        self._stages: tuple[Stage, ...] = ()

    def take(self) -> bytes:
        """Return the next events, encoded; empty if there are none now."""
        feed = self.feed
        if feed.stages != self._stages and not feed.end:  # which holds them
            self._stages = feed.stages
            return format_sse_event(event="stages", data_str=RunStages.model_validate(feed).model_dump_json())
        if feed.preparing not in (None, self._preparing):
            self._preparing = feed.preparing
            return format_sse_event(event="preparing", data_str=json.dumps({"preparing": feed.preparing}))
        self._step, events = feed.after(self._step)
        if not events and not self.is_done and (feed.end or feed.is_closed):
            self.is_done = True
            return feed.end or b""
        return events


class RunFeeds:
    """Owns a feed per watched run, and the one task that reads the registry for all of them.

    Args:
        registry: of the server.
        max_streams: streams that may be open at a time.
    """

    def __init__(self, registry: Registry, max_streams: int) -> None:
        self._registry = registry
        self._max_streams = max_streams
        self._streams = 0
        self._feeds: dict[int, RunFeed] = {}
        self._opening: dict[int, asyncio.Task[RunFeed]] = {}
        """The first readings of runs, which all clients share that ask meanwhile."""
        self._watched = asyncio.Event()
        self._is_closed = False

    @contextlib.asynccontextmanager
    async def watch(self, run_id: int) -> AsyncIterator[RunFeed]:
        """Yield the feed of a run, which holds all of its progress so far.

        Raises:
            UnknownRunError: there is no such run.
            OverloadedError: too many streams are open.
        """
        if self._streams >= self._max_streams:
            raise OverloadedError(
                f"{self._streams} event streams are open, the limit is {self._max_streams} "
                "(half of INKLING_MAX_CONNECTIONS); ask GET /train/{id} instead",
                RECONNECT_S,
            )
        self._streams += 1
        try:
            feed = await self._join(run_id)
            try:
                yield feed
            finally:
                self._leave(run_id, feed)
        finally:
            self._streams -= 1

    async def follow(self) -> None:
        """Read the watched runs again and again, until the task is cancelled."""
        is_reached = True
        while True:
            await self._watched.wait()
            try:
                await self._poll()
                is_reached = True
            except Exception as error:  # no failure of the registry may end the feeds
                if is_reached:
                    logger.exception("cannot read the runs that are watched, will keep retrying: %s", error)
                is_reached = False
            await asyncio.sleep(POLL_S)

    def close(self) -> None:
        """End all streams: the server stops."""
        self._is_closed = True
        for feed in self._feeds.values():
            feed.close()

    async def _join(self, run_id: int) -> RunFeed:
        feed = self._feeds.get(run_id)
        if feed is None:
            feed = self._feeds.setdefault(run_id, await self._open(run_id))
        feed.streams += 1
        self._watched.set()
        if self._is_closed:
            feed.close()
        return feed

    async def _open(self, run_id: int) -> RunFeed:
        """Return a feed with all progress so far: one reading, however many clients come back at once."""
        opening = self._opening.get(run_id)
        if opening is None:
            opening = self._opening[run_id] = asyncio.create_task(self._read_feed(run_id))
            opening.add_done_callback(lambda _: self._opening.pop(run_id))
        return await asyncio.shield(opening)  # the others wait for it, too

    async def _read_feed(self, run_id: int) -> RunFeed:
        feed = RunFeed()
        feed.publish(*await asyncio.to_thread(self._read, run_id, 0))
        return feed

    def _leave(self, run_id: int, feed: RunFeed) -> None:
        feed.streams -= 1
        if not feed.streams and self._feeds.get(run_id) is feed:
            del self._feeds[run_id]
        if not self._feeds:
            self._watched.clear()

    async def _poll(self) -> None:
        for run_id, feed in list(self._feeds.items()):
            if feed.end or feed.is_closed:
                continue
            try:
                found = await asyncio.to_thread(self._read, run_id, feed.step)
            except UnknownRunError:
                feed.close()  # who connects again learns it
                self._feeds.pop(run_id, None)
                continue
            feed.publish(*found)

    def _read(self, run_id: int, step: int) -> tuple[Run, list[Progress]]:
        run = self._registry.runs.get(run_id)  # first: its last progress was there before its end
        return run, self._registry.runs.progress(run_id, after=step)
