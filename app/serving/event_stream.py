"""The answer that sends a run's feed as server-sent events (HTML, section 9.2)."""

import asyncio
from contextlib import AbstractAsyncContextManager, suppress

from fastapi.sse import KEEPALIVE_COMMENT
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.serving.run_feeds import FeedReader, RunFeed
from inkling.errors import InputError

PING_S = 15.0
"""After so long without an event a comment is sent: proxies end connections that are silent."""


class EventStream(Response):
    """Follows a feed until its end, or until the client leaves.

    FastAPI's own streams hold hundreds of objects each, in its exit stacks and three tasks, and every full garbage
    collection walks over them while no request is answered. This one holds fewer: it begins when the layers of the
    application have returned. The answer itself only leaves `stream` in the scope, and `RequestMiddleware` runs it.

    Args:
        watch: enters the feed; its errors are answered as problems.
        step: the last one that the client has.
    """

    media_type = "text/event-stream"

    def __init__(self, watch: AbstractAsyncContextManager[RunFeed], step: int) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers({"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})  # nginx would hold events back
        self._watch = watch
        self._step = step

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["stream"] = self

    async def run(self, receive: Receive, send: Send) -> None:
        """Send the stream.

        Raises:
            UnknownRunError: there is no such run.
            OverloadedError: too many streams are open.
        """
        async with self._watch as feed:
            left = asyncio.create_task(_leave(receive))
            try:
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                await _send_events(FeedReader(feed, self._step), left, send)
            finally:
                left.cancel()


async def _send_events(reader: FeedReader, left: asyncio.Future[None], send: Send) -> None:
    loop = asyncio.get_running_loop()
    news = asyncio.Event()

    def wake(_: object = None) -> None:
        news.set()

    left.add_done_callback(wake)
    awaited = None  # the change that wakes this stream
    while not left.done():
        change = reader.feed.change
        if events := reader.take():
            await send({"type": "http.response.body", "body": events, "more_body": True})
        elif reader.is_done:
            break
        else:  # with `asyncio.wait` an event would take a fifth more CPU time
            news.clear()
            if change is not awaited:
                change.add_done_callback(wake)
                awaited = change
            ping = loop.call_later(PING_S, wake)
            await news.wait()
            ping.cancel()
            if not (left.done() or change.done()):
                await send({"type": "http.response.body", "body": KEEPALIVE_COMMENT, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _leave(receive: Receive) -> None:
    """Return when the client has left, or sends a body that is refused."""
    with suppress(InputError):
        while (await receive())["type"] != "http.disconnect":
            pass
