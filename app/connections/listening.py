"""The listening sockets that uvicorn is given, where it would not make them as needed, and the end of any of them."""

import contextlib
import ctypes
import logging
import os
import socket
import struct
import sys
from collections.abc import MutableMapping
from typing import Final

FIRST_DESCRIPTOR: Final = 3
"""SD_LISTEN_FDS_START of sd_listen_fds(3)."""
ALL_ADDRESSES: Final = "::"
HANDSHAKE_S: Final = 0.1
"""Seconds for the handshakes that have begun when `begin_no_handshake` is called: a round trip of the network."""
SO_ATTACH_FILTER: Final = 26
"""Of Linux, asm-generic/socket.h; the module `socket` does not name it."""
DROP_SYN: Final = (
    struct.pack("HBBI", 0x30, 0, 0, 13)  # load the byte of the TCP header that holds its flags
    + struct.pack("HBBI", 0x54, 0, 0, 0x12)  # of these SYN and ACK
    + struct.pack("HBBI", 0x15, 0, 1, 0x02)  # SYN alone: a handshake begins
    + struct.pack("HBBI", 0x06, 0, 0, 0)  # drop it
    + struct.pack("HBBI", 0x06, 0, 0, 0xFFFFFFFF)  # else take the whole packet
)
"""A socket filter, as linux/filter.h has it: `struct sock_filter` five times."""

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


def begin_no_handshake(descriptor: int) -> None:
    """Let a listening socket complete the handshakes that have begun, but begin no other, on Linux.

    To close the socket in the middle of a handshake resets a connection that its client takes for open, with the
    request that it has sent. The client of a handshake that is not begun tries again after a second, and is refused.
    """
    with socket.socket(fileno=os.dup(descriptor)) as listener:
        if sys.platform != "linux" or listener.family not in (socket.AF_INET, socket.AF_INET6):
            return
        program = ctypes.create_string_buffer(DROP_SYN, len(DROP_SYN))
        with contextlib.suppress(OSError):  # a sandbox may have no filters
            listener.setsockopt(
                socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", len(DROP_SYN) // 8, ctypes.addressof(program))
            )
