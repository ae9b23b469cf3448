"""Bodies with a Content-Encoding, decoded while they are received, within the limit on bytes (RFC 9110, 8.4)."""

import asyncio
import zlib
from typing import Any, Final

from starlette.types import Message

from app.errors import BodyError, ContentEncodingError
from app.observability.exchange import Exchange

PIECE_BYTES: Final = 64 << 10
"""Decoded at a time; 0.2 ms, after which other requests have their turn."""
MAX_MEMBERS: Final = 1000
"""Gzip files one after another, which are one body; each takes 5 us."""

_GZIP, _ZLIB, _RAW = 31, 15, -15
"""`wbits` of the zlib module."""
_CODINGS: Final = {b"gzip": "gzip", b"x-gzip": "gzip", b"deflate": "deflate"}


class DecodedBody:
    """Receives the decoded body of a request in place of its exchange."""

    def __init__(self, exchange: Exchange) -> None:
        """Decode the body of an exchange.

        Raises:
            ContentEncodingError: its coding is not known.
        """
        coding = _CODINGS.get(exchange.encoding)
        if coding is None:
            raise ContentEncodingError(
                f"Content-Encoding is {exchange.encoding[:100].decode('latin-1')}, "
                f"expected {ContentEncodingError.ACCEPTED}, or none"
            )
        self._coding = coding
        self._exchange = exchange
        self._inflater: Any = None
        self._encoded = b""
        self._may_hold_more = False
        self._members = 0
        self._decoded_bytes = 0
        self._is_last = self._is_ended = False

    async def receive(self) -> Message:
        """Return the next message, of at most PIECE_BYTES.

        Raises:
            BodyError: the body is damaged, or ends early.
            TooLargeError: it is longer than the limit, as sent or decoded.
            OverloadedError: there is no room for it.
        """
        while not (self._encoded or self._may_hold_more or self._is_ended):
            if self._is_last:
                return self._end()
            message = await self._exchange.receive()
            if message["type"] != "http.request":
                return message
            self._encoded = message.get("body", b"")
            self._is_last = not message.get("more_body", False)
        if self._is_ended:
            return await self._exchange.receive()
        await asyncio.sleep(0)
        return {"type": "http.request", "body": self._next_piece(), "more_body": True}

    def _end(self) -> Message:
        self._is_ended = True
        if self._inflater is not None and not self._inflater.eof:
            raise BodyError(f"the body ends before its Content-Encoding {self._coding} does: it is incomplete")
        return {"type": "http.request", "body": b"", "more_body": False}

    def _next_piece(self) -> bytes:
        if self._inflater is None or self._inflater.eof:
            self._begin_member()
        try:
            piece: bytes = self._inflater.decompress(self._encoded, PIECE_BYTES)
        except zlib.error as error:
            raise BodyError(f"the body is not {self._coding}, as its Content-Encoding says: {error}") from error
        self._encoded = self._inflater.unused_data if self._inflater.eof else self._inflater.unconsumed_tail
        self._may_hold_more = len(piece) == PIECE_BYTES and not self._inflater.eof
        self._decoded_bytes += len(piece)
        self._exchange.require_decoded(self._decoded_bytes)
        return piece

    def _begin_member(self) -> None:
        self._members += 1
        if self._members > (MAX_MEMBERS if self._coding == "gzip" else 1):
            raise BodyError(f"the body goes on after the end of its Content-Encoding {self._coding}")
        is_raw = self._coding == "deflate" and self._encoded[0] & 15 != 8  # RFC 1950: 8 is the method of zlib's header
        self._inflater = zlib.decompressobj(_GZIP if self._coding == "gzip" else _RAW if is_raw else _ZLIB)
