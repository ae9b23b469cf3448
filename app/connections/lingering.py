"""A transport that lets a client read its answer before the connection ends."""

from collections.abc import Callable
from typing import Any


class LingeringTransport:
    """A transport whose `close` only ends the writing while the client still sends.

    Closing then would reset the connection, and the client would lose the answer that says why.

    Args:
        transport: of the event loop.
        linger: asked at `close`; returns whether the client still sends.
    """

    def __init__(self, transport: Any, linger: Callable[[], bool]) -> None:
        self._transport = transport
        self._linger = linger

    def close(self) -> None:
        if not self._transport.is_closing() and self._transport.can_write_eof() and self._linger():
            self._transport.write_eof()
        else:
            self._transport.close()

    def let_go(self) -> None:
        """Forget whom to ask, once the connection is lost: the two would keep each other in memory."""
        self._linger = lambda: False

    def write_eof(self) -> None:
        """End the writing; TLS cannot end one direction alone, so there it ends the connection."""
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
