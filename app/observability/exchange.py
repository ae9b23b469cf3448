"""One request and its answer, as the middleware sees them pass."""

import random
import re
from typing import Final, NoReturn

from starlette.types import Message, Receive, Scope, Send

from app.admission.answer_headers import ANSWER_HEADERS
from app.admission.byte_budget import Reservation
from inkling.errors import TooLargeError
from inkling.trace_context import read_traceparent, trace_id_of
from inkling.tracing import TRACING

SAFE_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
DISCARDED_BYTES: Final = 64 << 10
"""A body up to this size that an error leaves unread is read and discarded; after a larger one the connection ends."""
MAX_DIGITS: Final = 19
"""Of a Content-Length that is read; longer ones are over every limit, too."""
_CLOSE = (b"connection", b"close")


class Exchange:
    """Owns what changes while a request is answered: its status, and how much of its body has come."""

    __slots__ = (
        "_max_body_bytes",
        "_receive",
        "_send",
        "declared",
        "encoding",
        "host",
        "is_chunked",
        "is_read",
        "received",
        "request_id",
        "reservation",
        "status",
        "traceparent",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send, max_body_bytes: int) -> None:
        self._receive = receive
        self._send = send
        self._max_body_bytes = max_body_bytes
        self.reservation: Reservation | None = None
        """Of a large body, or one of unknown length."""
        self.status = 0
        """Of the answer; 0 before it begins."""
        self.received = 0
        """Bytes of the body so far."""
        self.is_read = False
        """Whether the body has come to its end."""
        self._read_head(scope["headers"])

    def _read_head(self, headers: list[tuple[bytes, bytes]]) -> None:
        """Read the headers that count here; of several the first, except Host, of which there must be one."""
        given_id = length = encoding = traceparent = b""
        host: bytes | None = None
        self.is_chunked = False
        for name, value in headers:
            if name == b"host":
                host = value if host is None else host + b"," + value
            elif name == b"content-length":
                length = length or value
            elif name == b"x-request-id":
                given_id = given_id or value
            elif name == b"traceparent":
                traceparent = traceparent or value
            elif name == b"transfer-encoding":
                self.is_chunked = True
            elif name == b"content-encoding":
                encoding = encoding + b"," + value if encoding else value
        self.host = host
        """None: there is none, as only HTTP/1.0 allows; no browser does that."""
        self.declared = int(length[:MAX_DIGITS]) if length.isdigit() else 0
        """Content-Length; 0 if there is none."""
        encoding = encoding.strip().lower() if encoding else encoding
        self.encoding = b"" if encoding == b"identity" else encoding
        """Content-Encoding, in lower case; empty if there is none."""
        self.request_id = request_id_of(given_id)
        """The client's if it is safe in a log, else a random one."""
        self.traceparent = read_traceparent(traceparent.decode("latin-1")) if traceparent else None
        """The request in its trace: the span that answers it, or the client's if no spans are made."""
        if TRACING.is_on:
            self.traceparent = TRACING.traceparent()

    @property
    def may_be_long(self) -> bool:
        """Whether the body may have more than DISCARDED_BYTES."""
        return self.is_chunked or self.declared > DISCARDED_BYTES

    @property
    def log_fields(self) -> dict[str, str | None]:
        """Fields of the records that the request leads to in the log."""
        return {"request_id": self.request_id, "trace_id": trace_id_of(self.traceparent)}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message["headers"]
            headers.append((b"x-request-id", self.request_id.encode()))
            headers += ANSWER_HEADERS
            if self.status >= 400 and not self.is_read and self.may_be_long:
                headers.append(_CLOSE)
        await self._send(message)

    async def receive(self) -> Message:
        """Return the next message.

        Raises:
            TooLargeError: the body is longer than the limit.
            OverloadedError: its length was not declared, and there is no room for it.
        """
        message = await self._receive()
        self.received += len(message.get("body", b""))
        if self.received > self._max_body_bytes:
            raise TooLargeError(self._too_large(f"more than {self._max_body_bytes}"))
        if self.reservation is not None and self.received > self.declared:
            self.reservation.grow(self.received)
        self.is_read = not message.get("more_body", False)
        return message

    def refuse_size(self) -> NoReturn:
        """Refuse the declared length."""
        raise TooLargeError(self._too_large(str(self.declared)))

    def require_decoded(self, decoded_bytes: int) -> None:
        """Check the length of a body whose Content-Encoding is being decoded.

        Raises:
            TooLargeError: it is over the limit.
            OverloadedError: there is no room for it.
        """
        if decoded_bytes > self._max_body_bytes:
            raise TooLargeError(self._too_large(f"decoded, more than {self._max_body_bytes}"))
        if self.reservation is not None and self.received + decoded_bytes > self.declared:
            self.reservation.grow(self.received + decoded_bytes)

    def _too_large(self, found: str) -> str:
        return f"the body is {found} bytes long, the limit is {self._max_body_bytes} (INKLING_MAX_BODY_BYTES)"


def request_id_of(given: bytes) -> str:
    """Return the id that a client gives its request if it is safe in a log, else a random one."""
    if given and SAFE_REQUEST_ID.fullmatch(given):
        return given.decode()
    return f"{random.getrandbits(64):016x}"
