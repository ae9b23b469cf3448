"""The listening sockets that uvicorn is given, where it would not make them as needed."""

import logging
import os
import socket
from collections.abc import MutableMapping
from typing import Final

FIRST_DESCRIPTOR: Final = 3
"""SD_LISTEN_FDS_START of sd_listen_fds(3)."""
ALL_ADDRESSES: Final = "::"

logger = logging.getLogger("uvicorn.error")


def inherited_sockets(environment: MutableMapping[str, str]) -> list[socket.socket]:
    """Return the sockets that systemd has opened for this process, as sd_listen_fds(3) says; none: an empty list.

    Connections wait in them while the service restarts. The variables are deleted, so that no child takes them.
    """
    owner, count = environment.pop("LISTEN_PID", ""), environment.pop("LISTEN_FDS", "0")
    environment.pop("LISTEN_FDNAMES", None)
    if owner != str(os.getpid()):
        return []
    return [socket.socket(fileno=FIRST_DESCRIPTOR + number) for number in range(int(count))]


def dual_stack_socket(port: int) -> socket.socket:
    """Return a socket for all addresses of IPv6 and IPv4; asyncio's would be for IPv6 alone."""
    listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.bind((ALL_ADDRESSES, port))
    return listener


def log_address(listener: socket.socket, scheme: str) -> None:
    """Log where a socket listens, in uvicorn's words."""
    name = listener.getsockname()
    if listener.family == socket.AF_UNIX:
        logger.info("Uvicorn running on unix socket %s", name)
        return
    host = f"[{name[0]}]" if listener.family == socket.AF_INET6 else name[0]
    logger.info("Uvicorn running on %s://%s:%d (Press CTRL+C to quit)", scheme, host, name[1])
