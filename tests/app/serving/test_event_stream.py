import asyncio
from collections.abc import Callable

import pytest
from fastapi.sse import KEEPALIVE_COMMENT
from starlette.types import Message

from app.serving.event_stream import EventStream
from app.serving.run_feeds import RunFeeds
from inkling.registry.registry import Registry
from tests.support.events import claim, record

pytestmark = pytest.mark.anyio


class Client:
    """Receives a stream until `left` is set."""

    def __init__(self) -> None:
        self.received: asyncio.Queue[bytes] = asyncio.Queue()
        self.left = asyncio.Event()

    async def receive(self) -> Message:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.body":
            self.received.put_nowait(message["body"])

    async def next(self) -> bytes:
        return await asyncio.wait_for(self.received.get(), 30)


async def test_silent_stream_sends_comments_and_then_its_events(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: a run without news
    monkeypatch.setattr("app.serving.event_stream.PING_S", 0.05)
    run, feeds, client = claim(registry), RunFeeds(registry, max_streams=1), Client()
    stream = asyncio.create_task(EventStream(feeds.watch(1), 0).run(client.receive, client.send))
    # then
    assert [await client.next() for _ in range(3)] == [KEEPALIVE_COMMENT] * 3
    # when: there is some
    following = asyncio.create_task(feeds.follow())
    record(registry, run, 100)
    # then
    while (event := await client.next()) == KEEPALIVE_COMMENT:
        pass
    assert event.startswith(b"event: progress\n")
    assert await client.next() == KEEPALIVE_COMMENT
    # when: the client leaves
    client.left.set()
    await asyncio.wait_for(stream, 30)
    following.cancel()


@pytest.mark.parametrize("end", [lambda _, client: client.left.set(), lambda feeds, _: feeds.close()])
async def test_stream_without_news_ends_at_once(registry: Registry, end: Callable[[RunFeeds, Client], object]) -> None:
    claim(registry)
    feeds, client = RunFeeds(registry, max_streams=1), Client()
    stream = asyncio.create_task(EventStream(feeds.watch(1), 0).run(client.receive, client.send))
    await asyncio.sleep(0.2)
    assert client.received.empty()
    end(feeds, client)
    await asyncio.wait_for(stream, 5)  # a comment would come after 15 s
    assert await client.next() == b""
