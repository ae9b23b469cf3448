"""The admission of a request: its host name, its client's rate, and room for its bytes."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from starlette.types import Scope

from app.admission.allowed_hosts import AllowedHosts
from app.admission.byte_budget import ByteBudget
from app.admission.client_limits import ClientLimits, client_of
from app.errors import OriginError, RateLimitedError
from app.settings import Settings

UNLIMITED_PATHS: Final[Collection[str]] = frozenset(("/livez", "/readyz", "/ping", "/metrics"))
"""Probes and metrics: under load they are needed most."""

DEFAULT_BYTES: Final = 96 << 20


@dataclass(frozen=True)
class Admission:
    """Refuses requests before their bodies are read. A rule that is None lets everything in."""

    hosts: AllowedHosts | None = None
    rate: ClientLimits | None = None
    budget: ByteBudget = field(default_factory=lambda: ByteBudget(DEFAULT_BYTES))

    @classmethod
    def from_settings(cls, settings: Settings) -> "Admission":
        limit = settings.max_requests_per_minute
        rate = ClientLimits(per_minute=limit, burst=limit) if limit else None
        return cls(AllowedHosts.from_settings(settings), rate, ByteBudget(settings.max_bytes_in_flight))

    def check(self, scope: Scope, host: bytes | None) -> None:
        """Let a request in.

        Raises:
            OriginError: its Host is not a name of this server.
            RateLimitedError: its client sends too many.
        """
        if self.hosts is not None and host is not None and not self.hosts.allow(host):
            raise OriginError(_wrong_host(host))
        if self.rate is not None and scope["path"] not in UNLIMITED_PATHS:
            self.require_rate(scope)

    def require_rate(self, scope: Scope) -> None:
        """Count a request for the client of a scope.

        Raises:
            RateLimitedError: it sends too many.
        """
        if self.rate is None:
            return
        client = client_of(scope)
        if wait_s := self.rate.wait_s(client):
            raise RateLimitedError(
                f"{client} sends more requests than INKLING_MAX_REQUESTS_PER_MINUTE allows; wait {wait_s:.1f} s",
                wait_s,
            )
        self.rate.take(client)


def _wrong_host(host: bytes) -> str:
    shown = host.decode("latin-1")[:100]
    return (
        f"Host is {shown!r}, which is no name of this server: without an API key it expects this machine's loopback "
        "address; list other names in INKLING_ALLOWED_HOSTS, or set INKLING_API_KEY"
    )
