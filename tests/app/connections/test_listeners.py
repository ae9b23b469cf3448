"""New connections that come at once, on a real event loop and on a real server."""

import asyncio
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import uvloop

from app.connections.listeners import TAKEN_PER_TURN, Listeners
from tests.support.servers import start_server
from tests.support.sockets import LIVEZ, connect, read_answer


async def turns_until_all_are_taken(count: int) -> int:
    """Connect many clients in one turn of the event loop; return how many turns it takes until all have a protocol."""
    listeners, taken = Listeners(), 0

    class Protocol(asyncio.Protocol):
        def __init__(self, **options: Any) -> None:
            """Take what uvicorn gives its protocols."""

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            nonlocal taken
            taken += 1
            listeners.note_connection()

    server = await asyncio.get_running_loop().create_server(Protocol, "127.0.0.1", 0, backlog=512)
    config = SimpleNamespace(http_protocol_class=Protocol, ssl=None)
    lifespan = SimpleNamespace(state={})
    uvicorn_server: Any = SimpleNamespace(servers=[server], config=config, server_state=None, lifespan=lifespan)
    listeners.watch(uvicorn_server)
    address = server.sockets[0].getsockname()
    clients = [socket.create_connection(address) for _ in range(count)]
    turns = 0
    while taken < count:
        await asyncio.sleep(0)
        turns += 1
    for each in clients:
        each.close()
    server.close()
    await listeners.close()
    return turns


def test_many_connections_are_taken_in_few_turns() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(turns_until_all_are_taken(256)) < 2 * 256 / TAKEN_PER_TURN + 8


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_connections_that_come_at_once_are_all_answered(tmp_path: Path, host: str) -> None:
    with start_server(tmp_path / "data", "--trainer", "external", "--host", host) as server:
        many = [connect(server) for _ in range(200)]
        for each in many:
            each.sendall(LIVEZ)
        assert [read_answer(each).status for each in many] == [200] * 200
        for each in many:
            each.close()
