"""The limits on connections: from the settings, and from the file descriptors that the process may open."""

import ipaddress
import logging
import resource
from dataclasses import dataclass
from functools import lru_cache

from app.settings import Settings

RESERVED_FILES = 160
"""File descriptors that connections leave to the database, the log, workers, and refusals that are being read."""
MIN_CONNECTIONS = 8
PUBLIC_SHARE = 4

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ConnectionLimits:
    """The limits of one server process. Seconds are `_s`."""

    connections: int
    per_client: int | None
    client_timeout_s: float
    body_timeout_s: float
    keep_alive_s: float
    buffered_bytes: int
    stop_s: float

    @classmethod
    def from_settings(cls, settings: Settings) -> "ConnectionLimits":
        return cls(
            connections=_within_file_limit(settings.max_connections),
            per_client=settings.max_connections_per_client,
            client_timeout_s=settings.client_timeout_s,
            body_timeout_s=settings.body_timeout_s,
            keep_alive_s=settings.keep_alive_s,
            buffered_bytes=settings.max_buffered_bytes,
            stop_s=settings.stop_s,
        )

    @property
    def event_streams(self) -> int:
        return self.connections // 2

    def of_client(self, host: str) -> int:
        """Return how many connections an address may have.

        By default a public address may have a quarter of all. Behind a loopback or private address there may be a proxy
        with many clients.
        """
        if self.per_client is not None:
            return self.per_client
        return max(MIN_CONNECTIONS, self.connections // PUBLIC_SHARE) if _is_public(host) else self.connections


@lru_cache(maxsize=4096)
def _is_public(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:  # a Unix socket has no address
        return False


def _within_file_limit(connections: int) -> int:
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    possible = max(MIN_CONNECTIONS, files - RESERVED_FILES)
    if files == resource.RLIM_INFINITY or possible >= connections:
        return connections
    logger.warning(
        "at most %d connections, not %d (INKLING_MAX_CONNECTIONS): the process may open %d files; raise `ulimit -n`",
        possible,
        connections,
        files,
    )
    return possible
