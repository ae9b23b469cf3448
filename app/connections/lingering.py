"""A transport that lets a client read its answer before the connection ends."""

import os
import socket
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
        if not self._transport.is_closing() and self._linger():
            self._transport.write_eof()
        else:
            self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def has_unread(transport: Any) -> bool:
    """Return whether the kernel holds bytes of the client that the event loop has not read yet."""
    with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as connection:
        try:
            return bool(connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except OSError:
            return False
