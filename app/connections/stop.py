"""The beginning of a stop: signals, the time until the socket closes, and the time until the process ends."""

import asyncio
import contextlib
import faulthandler
import functools
import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from types import FrameType

from app.connections.listeners import Listeners, running_server
from app.connections.listening import HANDSHAKE_S

CLOSE_S = 0.5
"""Seconds from the end of the drain until the server takes no new connection."""
CANCEL_BEFORE_S = 1.5
"""Seconds before the end of a stop at which open requests are cancelled."""


@contextlib.contextmanager
def announced_stop(
    announce: Callable[[], None], begin: Callable[[], None], listeners: Listeners, *, drain_s: float, stop_s: float
) -> Iterator[None]:
    """Stop the server in order when it is asked to: announce it, drain, begin, and let uvicorn close its socket.

    A server waits for its open answers before it ends the lifespan, so a stream that waited for the end of the lifespan
    would block it. ASGI has no message for "stop soon", so this listens in on uvicorn's own signal handlers. Meanwhile
    new connections are still answered, and /readyz asks a load balancer to send no more.

    Args:
        announce: called at once.
        begin: called after the drain, CLOSE_S before the socket closes; also at the end of the context.
        listeners: of the server.
        drain_s: seconds in which everything goes on.
        stop_s: seconds after the drain until the process ends, whatever is in flight.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    asked: set[int] = set()
    if server := running_server():
        listeners.watch(server)
        server.shutdown = functools.partial(_shut_down, listeners, server.shutdown)  # type: ignore[method-assign]

    def stop(number: int, frame: FrameType | None) -> None:
        handler = handlers[signal.Signals(number)]
        assert callable(handler)  # noqa: S101  as below
        if not asked:
            end_s = drain_s + stop_s
            faulthandler.dump_traceback_later(end_s, exit=True)  # a thread in C: no lock of Python's delays it
            loop.call_soon_threadsafe(announce)
            loop.call_soon_threadsafe(loop.call_later, drain_s, begin)
            closed_s = drain_s + CLOSE_S
            loop.call_soon_threadsafe(loop.call_later, closed_s - HANDSHAKE_S, listeners.begin_no_handshake)
            loop.call_soon_threadsafe(loop.call_later, closed_s, handler, number, frame)
        elif number == signal.SIGINT and number in asked:
            handler(number, frame)  # Ctrl-C again: at once
        asked.add(number)

    for number, handler in handlers.items():
        if callable(handler):  # the default action is not callable
            signal.signal(number, stop)
    try:
        yield
    finally:
        begin()
        for number, handler in handlers.items():
            signal.signal(number, handler)


def stop_with_parent() -> None:
    """Stop this worker process when its supervisor dies: else it would keep the port of the next start."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


async def _shut_down(
    listeners: Listeners, shutdown: Callable[..., Awaitable[None]], sockets: list[socket.socket] | None = None
) -> None:
    """Shut down uvicorn's server, but first take the connections that the kernel has accepted."""
    await listeners.close()
    await shutdown(sockets=sockets)
