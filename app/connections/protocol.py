"""Uvicorn's HTTP protocol with limits on what a client may send, leave unread, or take time for."""

import asyncio
from typing import Any, Final

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from app.connections.cycle import Cycle
from app.connections.flow import HeldFlow
from app.connections.lingering import LingeringTransport
from app.connections.malformed import describe_malformed, without_upgrade
from app.connections.open_connections import OpenConnections, Wait
from app.connections.refusal import encode_refusal, refused_scope
from app.connections.request_url import split_url
from app.connections.turns import CONNECTION_COST, OTHER_COST, QUICK_COST
from app.errors import HeadersTooLargeError, MalformedRequestError
from inkling.errors import InputError

MAX_HEAD_BYTES = 16 << 10
MAX_HEADERS = 100
MAX_PIPELINED = 16
"""Requests of a connection that wait for the answers before theirs; what comes after them is not parsed yet."""
PIECE_BYTES = 4096
"""Parsed at a time, except bodies of a known length; the limits are checked after each piece."""
CROWDED_PIECE_BYTES = 128
"""The same if more than MAX_PIPELINED requests may have come at once: too few bytes to hold many."""
MAX_FRAMING_BYTES = 64 << 10
"""Of chunk headers and trailers, beyond the bytes that they frame."""
WRITE_BUFFER_BYTES = 16 << 10
"""Unsent bytes above which no answer is begun, and the client counts as one that does not read."""
MAX_DISCARDED_BYTES = 16 << 20
"""Bytes read and dropped so that a client that still sends gets to read its answer."""
FIRST_PATHS: Final = frozenset(("/livez", "/readyz", "/metrics"))
"""Requests that begin at once, before all others."""
QUICK_PATH: Final = "/predict"
QUICK_BYTES: Final = 4096
"""Requests with one image are answered in a quarter of the time of others: without FastAPI's routing, and at once."""


class LimitedProtocol(HttpToolsProtocol):
    """Parses no more than it can answer, and shows `OpenConnections` what it waits for.

    An upgrade that a request asks for, such as `h2c` by Java and curl, is ignored (RFC 9110, section 7.8), and the
    request is answered. Every error is a problem (RFC 9457).
    """

    flow: HeldFlow

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.open_connections: OpenConnections = app_state["connections"]
        self.running: RequestResponseCycle | None = None
        """The request that is being answered; `cycle` is the last one that was parsed."""
        self.head_bytes = 0
        """Bytes since the parser last completed something."""
        self.body_left = 0
        """Bytes of the body that are still to come, if its length is known."""
        self.received = self.framed = self.discarded = 0
        """Bytes of the body; bytes of the body with its framing; bytes dropped."""
        self.unparsed = self.url = b""
        self.refusal: InputError | None = None
        """The error after which nothing is parsed any more."""
        self.is_refused = False
        """Whether the last answer is written: what still comes is dropped."""

    def wrap(self, transport: asyncio.Transport) -> Any:
        """Return the transport as the answers see it."""
        return LingeringTransport(transport, self._linger)

    # called by the event loop

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(self.wrap(transport))
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self.flow = HeldFlow(self.transport, self.open_connections.reads, self.loop)
        self.open_connections.starts.spend(CONNECTION_COST, self.loop)
        self.open_connections.listeners.note_connection()
        self.open_connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.open_connections.starts.spend(CONNECTION_COST, self.loop)
        self.open_connections.remove(self)
        self.unparsed = b""
        if (running := self.running) and not running.response_complete:  # `super` knows only the last one
            running.disconnected = True
            running.message_event.set()
        self.pipeline.clear()
        super().connection_lost(exc)
        self._let_go()

    def data_received(self, data: bytes) -> None:
        if self.refusal or self.is_refused:
            self._discard(len(data))
        elif self.unparsed:
            self.unparsed += data  # it was on its way when the reading was paused
            self.open_connections.note_buffered(self)
        else:
            self._parse(data)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.open_connections.note_buffered(self)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.unparsed:
            self.open_connections.note_buffered(self)
        else:
            self.open_connections.note_drained(self)

    # called by the parser

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"content-length":
            self.body_left = int(value)  # the parser has checked it
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.head_bytes = self.received = self.framed = self.discarded = 0
        if self.parser.should_upgrade():
            return  # it is parsed again without the upgrade
        if len(self.headers) > MAX_HEADERS:
            raise HeadersTooLargeError(
                f"the request has {len(self.headers)} header fields, the limit is {MAX_HEADERS}; send fewer"
            )
        parser, scope = self.parser, self.scope
        version = scope["http_version"] = parser.get_http_version()
        scope["method"] = parser.get_method().decode("ascii")
        scope["path"], scope["raw_path"], scope["query_string"] = split_url(self.url, self.root_path)
        previous, self.cycle = self.cycle, self._new_cycle(version)
        if previous is None or previous.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def on_body(self, body: bytes) -> None:
        size = len(body)
        self.head_bytes = 0
        self.received += size
        self.body_left -= size
        cycle = self.cycle
        if cycle.response_complete:
            self._discard(size)
            return
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        self.head_bytes = self.body_left = 0
        if not self.parser.should_upgrade():
            self.url = b""
            self.cycle.more_body = False
            self.cycle.message_event.set()

    # called by the answer and by the server

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self.running = cycle
        if cycle.scope["path"] in FIRST_PATHS:
            self._begin(cycle)
        else:
            self.open_connections.starts.add(self._begin, cycle, self.loop)

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing() or self.is_refused:
            return
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self.refusal:
            self._write_refusal()
        if self.unparsed and not self.pipeline:  # the request that has just begun may wait for its body
            self.loop.call_soon(self._parse_held)
        self.flow.resume_reading()

    def shutdown(self) -> None:
        """End with the next answer. `OpenConnections` closes what is idle, and cuts off what takes too long."""
        if self.cycle:
            self.cycle.keep_alive = False

    # called by OpenConnections

    @property
    def host(self) -> str:
        return self.client[0] if self.client else ""

    @property
    def wait(self) -> Wait | None:
        if self.flow.write_paused or self.transport.is_closing():
            return "reading"
        if self.is_refused:
            return "leaving"
        if self.running and not self.running.response_complete:
            return "body" if self.running.more_body and not self.flow.read_paused else None
        if self.cycle and self.cycle.more_body:
            return "body"
        return "head" if self.head_bytes else "request"

    @property
    def turn(self) -> object:
        return self.cycle

    @property
    def moved_bytes(self) -> int:
        return -self.transport.get_write_buffer_size() if self.flow.write_paused else self.received

    @property
    def waiting_bytes(self) -> int:
        return self.transport.get_write_buffer_size() + len(self.unparsed)

    def close(self) -> None:
        """Close the connection; what is unsent is dropped."""
        if self.wait == "request" and not self.transport.get_write_buffer_size():
            self.transport.close()
        else:
            self.transport.abort()

    def refuse(self, error: InputError) -> None:
        """Answer with a problem after the answers before it, and close the connection."""
        if self.refusal or self.is_refused or self.transport.is_closing():
            return
        self.refusal, self.unparsed = error, b""
        cycle = self.cycle
        if cycle and cycle.more_body:  # the rest of this body is what will not come
            if cycle is not self.running:
                self.pipeline.popleft()  # the running request is answered first
            elif cycle.response_started:
                self.transport.abort()
            else:
                cycle.disconnected = True
                cycle.message_event.set()
                self._write_refusal()
        elif self.running is None or self.running.response_complete:
            self._write_refusal()

    # inside

    def _begin(self, cycle: RequestResponseCycle) -> int:
        """Begin a request, unless its client has left; return its cost in a turn of the event loop."""
        if cycle.disconnected:
            return 0
        super()._start_asgi_task(cycle, self.app)
        body_bytes = len(cycle.body) + (self.body_left if cycle is self.cycle else 0)
        return QUICK_COST if cycle.scope["path"] == QUICK_PATH and body_bytes <= QUICK_BYTES else OTHER_COST

    def _new_cycle(self, http_version: str) -> Cycle:
        is_last = http_version == "1.0" or self.open_connections.is_stopping
        return Cycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=not is_last and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )

    def _parse(self, data: bytes) -> None:
        """Feed the parser, in pieces if that many requests may be in it, and stop where enough of them wait."""
        is_crowded = data.count(b"\r\n\r\n") >= MAX_PIPELINED if self.body_left < len(data) else False
        if not is_crowded and len(data) <= max(PIECE_BYTES, self.body_left) and len(self.pipeline) < MAX_PIPELINED:
            self._feed(data)
            return
        piece_bytes = CROWDED_PIECE_BYTES if is_crowded else PIECE_BYTES
        begin = 0
        while begin < len(data) and not (self.refusal or self.is_refused or self.transport.is_closing()):
            if len(self.pipeline) >= MAX_PIPELINED:
                self.unparsed = data[begin:]
                self.flow.hold()
                self.open_connections.note_buffered(self)
                return
            end = begin + max(piece_bytes, self.body_left)
            self._feed(data[begin:end])
            begin = end

    def _parse_held(self) -> None:
        held, self.unparsed = self.unparsed, b""
        self.open_connections.note_drained(self)
        if self.parser is None or self.refusal or self.is_refused:
            return
        self._parse(held)
        if not self.unparsed:
            self.flow.release()

    def _feed(self, piece: bytes) -> None:
        self.head_bytes += len(piece)
        self.framed += len(piece)
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as upgrade:
            self._parse_again_without_upgrade(piece[upgrade.args[0] :])
            return
        except httptools.HttpParserError as error:
            self.refuse(_refusal_of(piece, error))  # a variable would keep it and this frame in a reference cycle
            return
        if self.head_bytes > MAX_HEAD_BYTES or self.framed - 2 * self.received > MAX_FRAMING_BYTES:
            self._refuse_framing()

    def _parse_again_without_upgrade(self, rest: bytes) -> None:
        method, version = self.parser.get_method(), self.parser.get_http_version()
        if method == b"CONNECT":
            self.refuse(MalformedRequestError("CONNECT is for proxies, and this server is none"))
            return
        head = without_upgrade(method, self.url, version, self.headers)
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn sets it
        self._feed(head)
        if rest:
            self._feed(rest)

    def _refuse_framing(self) -> None:
        if self.cycle and self.cycle.more_body:
            self.refuse(
                MalformedRequestError("chunk headers and trailers take more bytes than the body; send longer chunks")
            )
        else:
            self.refuse(
                HeadersTooLargeError(f"the head of the request is longer than {MAX_HEAD_BYTES} bytes, the limit")
            )

    def _write_refusal(self) -> None:
        assert self.refusal  # noqa: S101
        self.is_refused = True
        path = self.url.partition(b"?")[0].decode("latin-1")[:1000]
        scope = refused_scope(self.client, path or "/")
        status, answer = encode_refusal(self.refusal, scope, self.server_state.default_headers)
        self.open_connections.note_refusal(scope, status)
        self.transport.write(answer)
        self.transport.write_eof()  # closing now would reset the connection of a client that still sends
        self.flow.release()

    def _linger(self) -> bool:
        """Begin to drop what the client still sends of a body that nobody reads; return whether it sends."""
        cycle = self.cycle
        if self.is_refused or cycle is None or not (cycle.more_body and cycle.response_complete):
            return False
        self.is_refused = True
        self.flow.release()
        return True

    def _let_go(self) -> None:
        """Break the reference cycles of a connection that is lost, so that it is freed at once.

        The garbage collector stops the event loop: for 50 ms if some thousand connections wait for it.
        """
        self.transport.let_go()  # type: ignore[attr-defined]
        self.cycle = self.running = self.refusal = None  # type: ignore[assignment]

    def _discard(self, size: int) -> None:
        self.discarded += size
        if self.discarded > MAX_DISCARDED_BYTES:
            self.transport.abort()
        elif not self.flow.read_paused:  # libuv would read up to 32 times 256 KB in one turn of the event loop
            self.flow.pause_reading()
            self.loop.call_soon(self.flow.resume_reading)


def _refusal_of(piece: bytes, error: httptools.HttpParserError) -> InputError:
    """Return our own error that ended the parsing, or one that says what the parser's means."""
    cause = error.__context__
    return cause if isinstance(cause, InputError) else MalformedRequestError(describe_malformed(piece, error))
