"""The host names under which this server answers: the defense against DNS rebinding."""

import ipaddress
from urllib.parse import urlsplit

from app.settings import Settings, is_loopback

MAX_REMEMBERED = 256
"""Host headers whose check is remembered; there are as many as spellings in use, one in practice."""


class AllowedHosts:
    """Checks `Host` headers.

    In DNS rebinding, a web page's own name comes to mean this server's address, so that the page may read its answers.
    The name in `Host` is the page's then. An IP address is never such a name.

    Args:
        names: allowed names, in lower case; `*.example.org` is every name below example.org, `*` is every name.
        allows_addresses: whether IP addresses beyond loopback are allowed, too.
    """

    def __init__(self, names: frozenset[str], *, allows_addresses: bool) -> None:
        self._names = names
        self._suffixes = tuple(name[1:] for name in names if name.startswith("*."))
        self._allows_addresses = allows_addresses
        self._allowed: set[bytes] = set()
        """Host headers that were checked and are allowed."""

    @classmethod
    def from_settings(cls, settings: Settings) -> "AllowedHosts | None":
        """Return the hosts of a server; None: it answers under every name.

        Without a key only this machine may use the server, so the names are those of its loopback address, and the
        names of the settings. With a key there are no names to expect unless the settings list them.
        """
        names = frozenset(settings.allowed_host_names)
        if "*" in names or (settings.needs_key and not names):
            return None
        return cls(names, allows_addresses=settings.needs_key)

    def allow(self, header: bytes) -> bool:
        """Return whether a Host header is allowed, as it was sent; several are joined by commas."""
        if header in self._allowed:
            return True
        if not self._is_allowed(host_name(header.decode("latin-1"))):
            return False
        if len(self._allowed) < MAX_REMEMBERED:
            self._allowed.add(header)
        return True

    def _is_allowed(self, name: str) -> bool:
        if is_loopback(name) or name in self._names or (self._suffixes and name.endswith(self._suffixes)):
            return True
        return self._allows_addresses and _is_address(name)


def host_name(header: str) -> str:
    """Return the name in a Host header, in lower case and without its port; empty if it is malformed."""
    try:
        parts = urlsplit(f"//{header}")
        if parts.netloc != header or "@" in header or "," in header:
            return ""
        _ = parts.port  # raises if it is not a number
    except ValueError:
        return ""
    return (parts.hostname or "").removesuffix(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
