"""The HTTP protocol, changed to send an answer in one packet, and to answer small predictions by itself."""

import asyncio
import os
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from app.connections.lingering import LingeringTransport
from app.connections.protocol import QUICK_BYTES, LimitedProtocol
from app.connections.turns import DIRECT_COST
from app.fast.direct_answers import DirectAnswers

MAX_PIECES = 512
"""Written by one call of the system; the kernel takes up to 1,024."""


class FastHttpProtocol(LimitedProtocol):
    """The limited protocol, with the head and the body of an answer in one packet instead of two, and direct answers.

    Each packet costs the server 6 us, and the client as much. A request that may be answered directly begins when its
    body has come, if it comes in the same piece as its head; one that had to wait for its turn, when that comes.
    """

    _direct: DirectAnswers | None = None
    _held: RequestResponseCycle | None = None
    """A request whose body may be in the piece that is being parsed."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._direct = self.app_state.get("direct")
        super().connection_made(transport)

    def wrap(self, transport: asyncio.Transport) -> Any:
        return _JoinedWrites(transport, self._linger, self.loop)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["at_write"] = self.transport.at_write  # type: ignore[typeddict-unknown-key, attr-defined]

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._begin_held()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._begin_held()  # a request that waited for this answer may have to wait for its body, too

    def _feed(self, piece: bytes) -> None:
        super()._feed(piece)
        self._begin_held()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        is_short = 0 < self.body_left <= QUICK_BYTES
        if is_short and self._direct and cycle is self.cycle and self._direct.takes(cycle.scope):
            self.running = self._held = cycle
        else:
            super()._start_asgi_task(cycle, app)

    def _begin_held(self) -> None:
        held, self._held = self._held, None
        if held:
            super()._start_asgi_task(held, self.app)

    def _begin(self, cycle: Any) -> int:
        direct = self._direct
        if direct and self._is_whole(cycle) and direct.takes(cycle.scope) and direct.answer(cycle):
            return DIRECT_COST
        return super()._begin(cycle)

    def _is_whole(self, cycle: RequestResponseCycle) -> bool:
        """Return whether a request is short, has come, and is the only one: the end of an answer begins the next."""
        is_short = cycle.keep_alive and len(cycle.body) <= QUICK_BYTES
        return (
            is_short and not (cycle.more_body or cycle.disconnected) and not (self.pipeline or self.flow.write_paused)
        )


class _JoinedWrites(LingeringTransport):
    """A transport that collects the writes of one iteration of the event loop and sends them at its end.

    It sends them itself, right after what is to be done `at_write`: uvloop would send them some time later.
    """

    def __init__(self, transport: Any, linger: Callable[[], bool], loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(transport, linger)
        self._loop = loop
        self._waiting: list[bytes] = []
        self._calls: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        is_plain = transport.get_extra_info("sslcontext") is None
        self._fd = transport.get_extra_info("socket").fileno() if is_plain else None

    def at_write(self, function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        """Call a function just before the kernel gets what was written so far.

        A process that is killed has then counted what it has answered, and nothing else, but for a microsecond. Just
        after would be worse: the answer wakes the client, which often takes the CPU core at this very moment.
        """
        if self._waiting:
            self._calls.append((function, arguments))
        else:
            function(*arguments)

    def write(self, data: bytes) -> None:
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(data)

    def write_eof(self) -> None:
        self._flush()
        super().write_eof()

    def close(self) -> None:
        self._flush()
        super().close()

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if self._calls:
            calls, self._calls = self._calls, []
            for function, arguments in calls:
                function(*arguments)
        if waiting and not self._transport.is_closing():
            self._send(waiting)

    def _send(self, pieces: list[bytes]) -> None:
        if self._fd is None or len(pieces) > MAX_PIECES or self._transport.get_write_buffer_size():
            self._transport.writelines(pieces)
            return
        try:
            sent = os.writev(self._fd, pieces)
        except OSError:  # nothing was sent: the socket is full, or the client has left, which the transport finds out
            sent = 0
        for piece in pieces:
            if sent < len(piece):
                self._transport.write(piece[sent:])
            sent = max(0, sent - len(piece))
