"""The words of a proxy before this server about a request: its client, the host name, and the path before ours."""

import ipaddress
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from app.public_paths import PREFIX_KEY
from app.settings import ANY_PROXY

FORWARDED_HOST: Final = "forwarded_host"
"""In the scope of a request: the host name that the client asked the proxy for."""
PREFIX: Final = re.compile(r"(/[A-Za-z0-9._~-]+)+")
"""No `//`, which would be another host in a Location."""
MAX_PREFIX: Final = 200

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Forwarded:
    """The middleware around all others that rewrites the scopes of requests that came through a proxy.

    Everybody can send `X-Forwarded-*`, so these headers count from trusted proxies only.

    Args:
        app: around which it is.
        root_path: the path before ours, such as `/inkling`; proxies may leave it in the path or take it away.
        trusted: addresses and networks of proxies, or ANY_PROXY.
    """

    def __init__(self, app: ASGIApp, root_path: str, trusted: tuple[str, ...]) -> None:
        self._app = app
        self._root_path = root_path
        self._trusts_all = ANY_PROXY in trusted
        self._networks = [ipaddress.ip_network(each, strict=False) for each in trusted if each != ANY_PROXY]
        self._is_trusted = lru_cache(maxsize=1024)(self._look_up)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.rewrite(scope)
        await self._app(scope, receive, send)

    def rewrite(self, scope: Scope) -> None:
        """Set the client, the forwarded host and the public prefix of a request, and its path without `root_path`."""
        root, path = self._root_path, scope["path"]
        if root:
            scope[PREFIX_KEY] = root
            if path == root or path.startswith(f"{root}/"):
                scope["path"] = path[len(root) :] or "/"
        if (client := scope.get("client")) and self._is_trusted(client[0]):
            self._read_headers(scope)

    def _read_headers(self, scope: Scope) -> None:
        clients: list[str] = []
        prefixes: list[str] = []
        for name, value in scope["headers"]:
            if name == b"x-forwarded-for":
                clients += value.decode("latin-1").split(",")
            elif name == b"x-forwarded-prefix":
                prefixes += value.decode("latin-1").split(",")
            elif name == b"x-forwarded-host":
                scope[FORWARDED_HOST] = value.decode("latin-1").strip()
        if client := self._client(clients):
            scope["client"] = (client, 0)
        prefix = "".join(each.strip().rstrip("/") for each in prefixes)  # several proxies, the outermost first
        if len(prefix) <= MAX_PREFIX and PREFIX.fullmatch(prefix):
            scope[PREFIX_KEY] = prefix

    def _client(self, forwarded: list[str]) -> str | None:
        """Return the last address that no trusted proxy has; what stands before it, the client may have invented."""
        client = None
        for address in _addresses(reversed(forwarded)):
            client = address
            if not self._is_trusted(address):
                break
        return client

    def _look_up(self, host: str) -> bool:
        if self._trusts_all:
            return True
        address = _parse(host)
        return address is not None and any(address in network for network in self._networks)


def _addresses(texts: Iterator[str]) -> Iterator[str]:
    """Yield addresses without their ports, up to the first text that is none."""
    for text in texts:
        bare = text.strip()
        if found := re.fullmatch(r"\[(.+)\](:\d+)?|([\d.]+):\d+", bare):
            bare = found[1] or found[3]
        address = _parse(bare)
        if address is None:
            return
        yield str(address)


def _parse(host: str) -> Address | None:
    """Return an address; that of an IPv4 client of a socket for IPv6 is its IPv4 address."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:  # a Unix socket has no address
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
