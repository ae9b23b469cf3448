"""The routes of a protocol: a table, searched before the application's own layers."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from starlette._utils import get_route_path
from starlette.types import Receive, Scope, Send

from app.errors import ProtocolError
from app.known_paths import shown_path
from app.protocols.calls import Call, ProtocolAnswer

MATCHED_PATHS = 128
"""Paths whose routes are remembered; each is at most as long as the head of a request."""

Handler = Callable[[Call], Awaitable[ProtocolAnswer]]
Unknown = Callable[[str, str], ProtocolError]
"""The error of a method and a path that no route has."""


@dataclass(frozen=True)
class ProtocolRoute:
    method: str
    path: str
    """Its template, such as `/v2/models/{model}`: the label of its requests in the metrics."""
    handle: Handler
    operation: dict[str, Any] = field(default_factory=dict)
    """Its OpenAPI operation; empty: it is not documented."""
    needs_key: bool = False
    """Whether it is an unsafe call."""


def _nothing_there(method: str, path: str) -> ProtocolError:
    return ProtocolError(404, f"there is nothing at {shown_path(path)}; /docs lists the calls")


class ProtocolRouter:
    """Answers every request below the roots of a protocol inside `RequestMiddleware`.

    Args:
        roots: the first parts of its paths, such as `/v2`, or whole paths.
        routes: its calls; a slash at the end of a path does not count. Variable parts hold neither a slash nor a colon.
        ignore_case: whether fixed parts match in any case.
        unknown: the error of any other call below the roots; a 404 by default. Another method is a 405 by default.
    """

    def __init__(
        self,
        roots: Sequence[str],
        routes: Sequence[ProtocolRoute],
        *,
        ignore_case: bool = False,
        unknown: Unknown | None = None,
    ) -> None:
        self.routes = tuple(routes)
        self._paths = frozenset(roots)
        self._prefixes = tuple(f"{root}/" for root in roots)
        self._ignore_case = ignore_case
        self._unknown = unknown
        self._patterns = [(_pattern(route.path, re.IGNORECASE if ignore_case else 0), route) for route in routes]
        self._find = lru_cache(MATCHED_PATHS)(self._matches)

    def takes(self, scope: Scope) -> bool:
        path = get_route_path(scope)
        path = path.lower() if self._ignore_case else path
        return path.startswith(self._prefixes) or path in self._paths

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request.

        Raises:
            ProtocolError: there is no such call.
            InklingError: as its handler.
        """
        scope["protocol"] = self
        method, path = scope["method"], get_route_path(scope)
        matches = self._find(path)
        found = matches.get(method)
        if found is None:
            if matches:
                scope["route"] = next(iter(matches.values()))[0]
            raise self._refuse(method, path, matches)
        route, parameters = found
        scope["route"] = route
        call = Call(scope, receive, parameters)
        if route.needs_key:
            call.require_access()
        answer = await route.handle(call)
        headers = [*answer.headers, (b"content-length", b"%d" % len(answer.content)), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.content})

    def _refuse(self, method: str, path: str, matches: dict[str, Any]) -> ProtocolError:
        if self._unknown is not None:
            return self._unknown(method, path)
        if not matches:
            return _nothing_there(method, path)
        allowed = ", ".join(sorted({*matches, "HEAD"} if "GET" in matches else matches))
        return ProtocolError(405, f"{shown_path(path)} does not take {method}, only {allowed}", {"Allow": allowed})

    def _matches(self, path: str) -> dict[str, tuple[ProtocolRoute, dict[str, str]]]:
        """Return the routes of a path by their methods, each with the variable parts."""
        found: dict[str, tuple[ProtocolRoute, dict[str, str]]] = {}
        for pattern, route in self._patterns:
            match = pattern.fullmatch(path.removesuffix("/"))
            if match is not None:
                found.setdefault(route.method, (route, match.groupdict()))
        return found


def _pattern(template: str, flags: int) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/:]+)", re.escape(template)), flags)
