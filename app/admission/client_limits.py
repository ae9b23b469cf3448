"""Limits on how often a client may do something, in a table of bounded size."""

import ipaddress
import time
from collections.abc import Callable
from functools import lru_cache

from starlette.types import Scope

MAX_CLIENTS = 10_000
"""Clients in a table: some 2 MB. The one that was seen longest ago makes room."""

ROUNDING_S = 1e-6


class ClientLimits:
    """A token bucket for each client: `burst` at once, then `per_minute` on average.

    These 20 lines do what the package `limits` would do here, without its thread and its lock per request: a request
    takes half a microsecond.

    Args:
        per_minute: tokens that come back per minute.
        burst: tokens of a full bucket.
        clock: seconds that never go back.
    """

    def __init__(self, *, per_minute: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval_s = 60 / per_minute
        self._tolerance_s = (burst - 1) * self._interval_s
        self._clock = clock
        self._full_at: dict[str, float] = {}
        """When the bucket of each client is full again; the least recently used client is first."""

    def wait_s(self, client: str) -> float:
        """Return the seconds until this client has a token; 0 if it has one now."""
        wait_s = self._full_at.get(client, 0.0) - self._clock() - self._tolerance_s
        return wait_s if wait_s > ROUNDING_S else 0.0

    def take(self, client: str) -> None:
        """Take a token from this client, even if it has none."""
        full_at = max(self._full_at.pop(client, 0.0), self._clock())
        self._full_at[client] = full_at + self._interval_s
        if len(self._full_at) > MAX_CLIENTS:
            del self._full_at[next(iter(self._full_at))]


def client_of(scope: Scope) -> str:
    """Return the client of a request: its IPv4 address, or the /64 network of its IPv6 address, which it owns whole."""
    address: str = scope["client"][0] if scope.get("client") else "unknown"
    return _ipv6_client(address) if ":" in address else address


@lru_cache(maxsize=1024)
def _ipv6_client(address: str) -> str:
    try:
        parsed = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((parsed, 64), strict=False))
