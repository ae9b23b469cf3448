"""A connection that is lost leaves the memory at once; else collections of garbage would stop the event loop."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
import uvloop
from uvicorn.server import ServerState

from app.connections.limits import ConnectionLimits
from app.connections.open_connections import OpenConnections
from app.fast.http_protocol import FastHttpProtocol
from app.observability.metrics import Metrics

CONNECTIONS = 30
SLOW_S = 0.05
LIMITS = ConnectionLimits(
    connections=1000,
    per_client=None,
    client_timeout_s=10,
    body_timeout_s=10,
    keep_alive_s=10,
    buffered_bytes=1 << 20,
    stop_s=10,
)


async def _app(scope: Any, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
    """Read the body, and answer; a request for /slow goes on for a while after its client has left."""
    while (await receive()).get("more_body"):
        pass
    if scope["path"] == "/slow":
        await asyncio.sleep(SLOW_S)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def _server(made: list[weakref.ref[FastHttpProtocol]]) -> AsyncIterator[int]:
    """Serve with the protocol, note its connections, and yield the port."""
    config = uvicorn.Config(_app, http=FastHttpProtocol, ws="none", log_config=None)
    config.load()
    state, loop = ServerState(), asyncio.get_running_loop()
    connections = OpenConnections(LIMITS, Metrics(), access_log=False)

    def connect() -> FastHttpProtocol:
        protocol = FastHttpProtocol(config, state, {"connections": connections}, loop)
        made.append(weakref.ref(protocol))
        return protocol

    server = await loop.create_server(connect, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def _left(sent: bytes, *, is_read: bool) -> list[bool]:
    """Open connections, send the same on each, and close them; return for each whether it is still in memory."""
    made: list[weakref.ref[FastHttpProtocol]] = []
    async with _server(made) as port:
        for _ in range(CONNECTIONS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            await writer.drain()
            if is_read:
                assert await reader.read(4096)
            else:
                await asyncio.sleep(0.01)
            writer.close()
            await writer.wait_closed()
        await asyncio.sleep(2 * SLOW_S)
        return [each() is not None for each in made]


ANSWERED = {
    "kept": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "closed by us": b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    "pipelined": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 40,
    "slow": b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "too many headers": b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 200 + b"\r\n",
    "malformed": b"no HTTP\r\n\r\n",
}
UNANSWERED = {
    "half a body": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n" + bytes(50_000),
    "half a head": b"GET / HTTP/1.1\r\nHost: local",
    "silent": b"",
}


@pytest.mark.parametrize(
    ("name", "is_read"),
    [*((name, True) for name in ANSWERED), *((name, False) for name in ANSWERED | UNANSWERED)],
)
def test_no_closed_connection_waits_for_the_garbage_collector(name: str, *, is_read: bool) -> None:
    sent = (ANSWERED | UNANSWERED)[name]
    gc.collect()
    gc.disable()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            left = runner.run(_left(sent, is_read=is_read))
    finally:
        gc.enable()
    assert left == [False] * CONNECTIONS
