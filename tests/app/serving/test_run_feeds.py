import asyncio
import time
from contextlib import AsyncExitStack, suppress

import anyio
import pytest

from app.errors import OverloadedError
from app.serving.run_feeds import RunFeed, RunFeeds
from inkling.errors import UnknownRunError
from inkling.registry.records import Progress, Run
from inkling.registry.registry import Registry
from inkling.registry.runs import Runs
from tests.support.events import claim, parse, record

pytestmark = pytest.mark.anyio


def steps_after(feed: RunFeed, step: int) -> list[int]:
    last, events = feed.after(step)
    steps = [event.data["step"] for event in parse(iter(events.decode().splitlines()))]
    assert last == steps[-1]
    return steps


async def test_many_streams_of_a_run_cost_one_read_at_a_time(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: a hundred streams of one run
    reads: list[int] = []
    get = Runs.get

    def counted(self: Runs, run_id: int) -> Run:
        reads.append(run_id)
        return get(self, run_id)

    feeds = RunFeeds(registry, max_streams=100)
    run = claim(registry)
    async with AsyncExitStack() as streams, anyio.create_task_group() as tasks:
        watched = [await streams.enter_async_context(feeds.watch(1)) for _ in range(100)]
        assert len({id(feed) for feed in watched}) == 1
        monkeypatch.setattr(Runs, "get", counted)
        tasks.start_soon(feeds.follow)
        # when
        for step in (100, 200, 300):
            change = watched[0].change
            record(registry, run, step)
            await asyncio.wait_for(change, 30)
        # then
        assert steps_after(watched[-1], 100) == [200, 300]
        assert len(reads) < 100
        tasks.cancel_scope.cancel()


async def test_streams_that_come_back_at_once_share_one_reading(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: a reading that takes a while
    reads: list[int] = []
    read = Runs.progress

    def slow(self: Runs, run_id: int, after: int = 0) -> list[Progress]:
        reads.append(run_id)
        time.sleep(0.2)
        return read(self, run_id, after=after)

    monkeypatch.setattr(Runs, "progress", slow)
    record(registry, claim(registry), 100)
    feeds = RunFeeds(registry, max_streams=100)
    found: list[RunFeed] = []

    async def stream(run_id: int) -> None:
        async with feeds.watch(run_id) as feed:
            found.append(feed)
            await asyncio.sleep(0.1)

    # when: fifty clients ask at once, the first of which leaves at once
    streams = [asyncio.create_task(stream(1)) for _ in range(50)]
    await asyncio.sleep(0.05)
    streams[0].cancel()
    await asyncio.gather(*streams, return_exceptions=True)
    # then
    assert reads == [1]
    assert len(found) == 49
    assert len({id(feed) for feed in found}) == 1
    assert steps_after(found[0], 0) == [100]
    # when: they have left; then the run is read again
    await stream(1)
    assert reads == [1, 1]
    # when: there is no such run
    unknown = await asyncio.gather(*[stream(7) for _ in range(5)], return_exceptions=True)
    assert [type(error) for error in unknown] == [UnknownRunError] * 5


async def test_stream_beyond_the_limit_is_refused_until_one_ends(registry: Registry) -> None:
    feeds = RunFeeds(registry, max_streams=2)
    claim(registry)
    async with feeds.watch(1):
        async with feeds.watch(1):
            with pytest.raises(OverloadedError, match=r"2 event streams are open, the limit is 2 .*MAX_CONNECTIONS"):
                async with feeds.watch(1):
                    pass
        async with feeds.watch(1):
            pass
    with pytest.raises(UnknownRunError):
        async with feeds.watch(7):
            pass
    async with feeds.watch(1), feeds.watch(1):
        pass


async def test_feed_goes_on_when_the_registry_is_back(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("app.serving.run_feeds.POLL_S", 0.01)
    feeds = RunFeeds(registry, max_streams=2)
    run = claim(registry)
    failures: list[int] = []
    progress = Runs.progress
    async with feeds.watch(1) as feed, anyio.create_task_group() as tasks:
        change = feed.change
        record(registry, run, 100)

        def fail(self: Runs, run_id: int, after: int = 0) -> None:
            failures.append(run_id)
            if len(failures) == 3:
                monkeypatch.setattr(Runs, "progress", progress)
            raise OSError("no answer")

        monkeypatch.setattr(Runs, "progress", fail)
        tasks.start_soon(feeds.follow)
        await asyncio.wait_for(change, 30)
        assert steps_after(feed, 0) == [100]
        tasks.cancel_scope.cancel()
    assert caplog.text.count("will keep retrying: no answer") == 1


async def test_feed_of_a_run_that_is_gone_is_closed(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    feeds = RunFeeds(registry, max_streams=2)
    claim(registry)
    async with feeds.watch(1) as feed:

        def unknown(self: Runs, run_id: int) -> Run:
            raise UnknownRunError(f"there is no run {run_id}")

        monkeypatch.setattr(Runs, "get", unknown)
        following = asyncio.ensure_future(feeds.follow())
        await asyncio.wait_for(feed.change, 30)
        assert (feed.is_closed, feed.end) == (True, None)
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


async def test_stream_that_begins_while_the_server_stops_ends(registry: Registry) -> None:
    feeds = RunFeeds(registry, max_streams=2)
    claim(registry)
    feeds.close()
    async with feeds.watch(1) as feed:
        assert feed.is_closed
