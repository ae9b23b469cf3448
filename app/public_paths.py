"""Paths as clients see them: behind a proxy, below the path that it has given this server."""

from typing import Final

from starlette.types import Scope

PREFIX_KEY: Final = "public_prefix"
"""In the scope of a request: the path that a proxy puts before ours, such as `/inkling`; not there: none.

It is not ASGI's `root_path`, which is for proxies that leave the path as the client sent it.
"""


def public_prefix(scope: Scope) -> str:
    prefix: str = scope.get(PREFIX_KEY, "")
    return prefix


def public_path(scope: Scope, path: str) -> str:
    """Return one of our paths as the client of a request may ask for it."""
    return public_prefix(scope) + path
