"""The head of a request, as far as it counts for every call."""

import random
import re
from typing import Final

from app.admission.answer_headers import ANSWER_HEADERS
from inkling.trace_context import read_traceparent, trace_id_of
from inkling.tracing import TRACING

SAFE_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
DISCARDED_BYTES: Final = 64 << 10
"""A body up to this size that an error leaves unread is read and discarded; after a larger one the connection ends."""
MAX_DIGITS: Final = 19
"""Of a Content-Length that is read; longer ones are over every limit, too."""


class RequestHead:
    """The headers that count for every call; of several the first, except Host, of which there must be one."""

    __slots__ = ("declared", "encoding", "host", "is_chunked", "request_id", "traceparent")

    def __init__(self, headers: list[tuple[bytes, bytes]]) -> None:
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

    def add_to(self, headers: list[tuple[bytes, bytes]]) -> None:
        """Add what every answer has to the headers of one."""
        headers.append((b"x-request-id", self.request_id.encode()))
        headers += ANSWER_HEADERS

    @property
    def log_fields(self) -> dict[str, str | None]:
        """Fields of the records that the request leads to in the log."""
        return {"request_id": self.request_id, "trace_id": trace_id_of(self.traceparent)}


def request_id_of(given: bytes) -> str:
    """Return the id that a client gives its request if it is safe in a log, else a random one."""
    if given and SAFE_REQUEST_ID.fullmatch(given):
        return given.decode()
    return f"{random.getrandbits(64):016x}"
