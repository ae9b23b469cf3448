"""The listening sockets of a server process."""

import asyncio
import contextlib
import functools
import os
import signal
import socket
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from uvicorn.server import Server

from app.connections.listening import begin_no_handshake

TAKEN_PER_TURN = 32


class SoleServer(Server):
    """A server whose listening sockets no other process has: when it closes them, they are gone."""


class Listeners:
    """Takes several new connections in each turn of the event loop.

    libuv takes one from each listening socket, so that of 200 clients that come at once the last one, or a probe, would
    wait for 200 turns.
    """

    def __init__(self) -> None:
        self._server: Server | None = None
        self._listeners: list[socket.socket] = []
        self._is_taking = False
        self._tasks: set[asyncio.Task[None]] = set()

    def watch(self, server: Server) -> None:
        self._server = server

    def note_connection(self) -> None:
        """Take what waits behind a new connection: soon, after the other events of this turn."""
        if self._server and not self._is_taking:
            self._is_taking = True
            asyncio.get_running_loop().call_soon(self._take, self._server)

    def _take(self, server: Server) -> None:
        self._is_taking = False
        if server is not self._server:
            return  # it was closed
        if not self._listeners:
            self._listeners = [socket.socket(fileno=each.fileno()) for each in _sockets(server)]
        for listener in self._listeners:
            for connection in islice(_accepted(listener), TAKEN_PER_TURN):
                task = asyncio.create_task(_connect(server, connection))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def begin_no_handshake(self) -> None:
        """Prepare `close`, if no other process has the sockets, HANDSHAKE_S before."""
        if isinstance(self._server, SoleServer):
            for listener in _sockets(self._server):
                begin_no_handshake(listener.fileno())

    async def close(self) -> None:
        """Take the connections that the kernel has accepted, and close the sockets.

        Closing them first would reset those: their clients may have sent a request.
        """
        server, self._server = self._server, None
        if server is None:
            return
        for listener in self._listeners:
            listener.detach()  # it is the server's
        last = [connection for listener in _sockets(server) for connection in _accept_all(listener.fileno())]
        for each in server.servers:
            each.close()
        for connection in last:
            await _connect(server, connection)


def running_server() -> Server | None:
    """Return the uvicorn server of this process, which ASGI does not name: it handles the signals."""
    owner = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return owner if isinstance(owner, Server) else None


def _sockets(server: Server) -> list[Any]:
    return [each for one in server.servers for each in one.sockets]


def _accept_all(descriptor: int) -> Iterator[socket.socket]:
    with socket.socket(fileno=os.dup(descriptor)) as listener:
        yield from _accepted(listener)


def _accepted(listener: socket.socket) -> Iterator[socket.socket]:
    """Yield the connections that wait, until there is none, or no file descriptor for it."""
    listener.settimeout(0)
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            connection.settimeout(0)
            yield connection


async def _connect(server: Server, connection: socket.socket) -> None:
    """Give a connection to its protocol; a client that fails at TLS has none."""
    with contextlib.suppress(OSError):
        await asyncio.get_running_loop().connect_accepted_socket(
            _protocol_factory(server), connection, ssl=server.config.ssl
        )


def _protocol_factory(server: Server) -> Callable[[], Any]:
    """Return what makes the protocol of a connection, as uvicorn does."""
    return functools.partial(
        server.config.http_protocol_class,  # type: ignore[call-arg]  # as uvicorn calls it
        config=server.config,
        server_state=server.server_state,
        app_state=server.lifespan.state,
        _loop=asyncio.get_running_loop(),
    )
