"""One request and its answer, as the middleware sees them pass."""

from typing import Final, NoReturn

from starlette.types import Message, Receive, Scope, Send

from app.admission.byte_budget import Reservation
from app.observability.request_head import RequestHead
from inkling.errors import TooLargeError

_CLOSE: Final = (b"connection", b"close")


class Exchange(RequestHead):
    """Owns what changes while a request is answered: its status, and how much of its body has come."""

    __slots__ = ("_max_body_bytes", "_receive", "_send", "is_read", "received", "reservation", "status")

    def __init__(self, scope: Scope, receive: Receive, send: Send, max_body_bytes: int) -> None:
        super().__init__(scope["headers"])
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

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message["headers"]
            self.add_to(headers)
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
