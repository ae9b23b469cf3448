"""Text answers to GET, compressed with gzip for the clients that ask for it (RFC 9110, section 12.5.3)."""

import gzip
from typing import Final

from anyio import to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MIN_BYTES: Final = 1024
"""Shorter answers fit into one packet as they are."""
THREAD_BYTES: Final = 64 << 10
"""Compressed in the event loop, this takes 1 ms; longer answers are compressed in a thread."""
LEVEL: Final = 5
TEXT_TYPES: Final = (
    "text/",
    "application/json",
    "application/problem+json",
    "application/openmetrics-text",
    "image/svg+xml",
)


class Compression:
    """The middleware around the application's own layers; the fast path of /predict, outside of it, pays nothing.

    Answers without a Content-Length are left alone: they are streams, whose parts have to arrive one by one. So are
    those with `Cache-Control: no-transform` (RFC 9111, section 5.2.2.6).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET":
            headers = Headers(scope=scope)
            send = _Answer(send, is_wanted=accepts_gzip(headers), known=headers.getlist("if-none-match")).send
        await self._app(scope, receive, send)


def accepts_gzip(headers: Headers) -> bool:
    """Return whether Accept-Encoding names gzip, or all codings, with a weight above 0."""
    weights = {}
    for item in ",".join(headers.getlist("accept-encoding")).lower().split(","):
        coding, *parameters = (part.strip() for part in item.split(";"))
        weights[coding] = not any(part.startswith("q=") and not part[2:].strip("0.") for part in parameters)
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", False)))


class _Answer:
    """Holds an answer back until it is whole, if it is to be compressed.

    Args:
        send: of the server.
        is_wanted: whether the client accepts gzip.
        known: the client's If-None-Match. If it has the weak tag of an answer, it was compressed for this client, and
            304 has the same tag as the 200 would have (RFC 9110, section 15.4.5).
    """

    def __init__(self, send: Send, *, is_wanted: bool, known: list[str]) -> None:
        self._send = send
        self._is_wanted = is_wanted
        self._known = known
        self._start: Message | None = None
        self._body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message["headers"])
            if message["status"] == 304 and "etag" in headers:
                self._weaken_known(headers)
            elif _is_text(headers):
                headers.add_vary_header("Accept-Encoding")
                if self._is_wanted and int(headers["content-length"]) >= MIN_BYTES:
                    self._start = message
                    return
        elif self._start is not None:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._send_compressed(self._start)
            return
        await self._send(message)

    def _weaken_known(self, headers: MutableHeaders) -> None:
        weak = f"W/{headers['etag']}"
        if self._is_wanted and _may_be_changed(headers) and any(weak in value for value in self._known):
            headers["etag"] = weak
            headers.add_vary_header("Accept-Encoding")

    async def _send_compressed(self, start: Message) -> None:
        if len(self._body) < THREAD_BYTES:
            content = _compress(self._body)
        else:
            content = await to_thread.run_sync(_compress, self._body)
        headers = MutableHeaders(raw=start["headers"])
        headers["content-encoding"] = "gzip"
        headers["content-length"] = str(len(content))
        etag = headers.get("etag", "W/")
        if not etag.startswith("W/"):  # a strong tag would promise the same bytes
            headers["etag"] = f"W/{etag}"
        await self._send(start)
        await self._send({"type": "http.response.body", "body": content})


def _is_text(headers: MutableHeaders) -> bool:
    """Return whether an answer is one text of known length, not compressed yet, that may be."""
    is_plain = "content-length" in headers and "content-encoding" not in headers
    return is_plain and _may_be_changed(headers) and headers.get("content-type", "").startswith(TEXT_TYPES)


def _may_be_changed(headers: MutableHeaders) -> bool:
    return "no-transform" not in headers.get("cache-control", "")


def _compress(content: bytes) -> bytes:
    return gzip.compress(content, LEVEL, mtime=0)
