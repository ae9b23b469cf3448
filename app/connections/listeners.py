"""The listening sockets of a server process."""

import asyncio
import contextlib
import functools
import os
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any

from uvicorn.server import Server

from app.connections.listening import begin_no_handshake

COPIES = 15
"""Copies of each listening socket; each costs 1.5 us per new connection."""


class SoleServer(Server):
    """A server whose listening sockets no other process has: when it closes them, they are gone."""


class Listeners:
    """Takes several new connections in each turn of the event loop.

    libuv takes one from each listening socket, so that of 200 clients that come at once the last one, or a probe, would
    wait for 200 turns. The copies of a socket share its queue.
    """

    def __init__(self) -> None:
        self._server: Server | None = None
        self._copying: asyncio.Task[None] | None = None

    def watch(self, server: Server) -> None:
        self._server = server

    def note_connection(self) -> None:
        """Copy the sockets when the first connection comes: ASGI does not say when they are there."""
        if self._server and not self._copying:
            self._copying = asyncio.get_running_loop().create_task(self._copy(self._server))

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
        if self._copying:
            await self._copying
        last = [connection for listener in _sockets(server) for connection in _accept_all(listener.fileno())]
        for each in server.servers:
            each.close()
        for connection in last:
            await asyncio.get_running_loop().connect_accepted_socket(
                _protocol_factory(server), connection, ssl=server.config.ssl
            )

    async def _copy(self, server: Server) -> None:
        loop, factory, backlog = asyncio.get_running_loop(), _protocol_factory(server), server.config.backlog
        for listener in _sockets(server):
            for _ in range(COPIES):
                copy = socket.socket(fileno=os.dup(listener.fileno()))
                server.servers.append(
                    await loop.create_server(factory, sock=copy, ssl=server.config.ssl, backlog=backlog)
                )


def running_server() -> Server | None:
    """Return the uvicorn server of this process, which ASGI does not name: it handles the signals."""
    owner = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return owner if isinstance(owner, Server) else None


def _sockets(server: Server) -> list[Any]:
    return [each for one in server.servers for each in one.sockets]


def _accept_all(descriptor: int) -> Iterator[socket.socket]:
    with socket.socket(fileno=os.dup(descriptor)) as listener, contextlib.suppress(OSError):
        listener.settimeout(0)
        while True:
            connection, _ = listener.accept()
            connection.settimeout(0)
            yield connection


def _protocol_factory(server: Server) -> Callable[[], Any]:
    """Return what makes the protocol of a connection, as uvicorn does."""
    return functools.partial(
        server.config.http_protocol_class,  # type: ignore[call-arg]  # as uvicorn calls it
        config=server.config,
        server_state=server.server_state,
        app_state=server.lifespan.state,
        _loop=asyncio.get_running_loop(),
    )
