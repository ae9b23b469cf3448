"""The route of the API's calls: what it requires of a request before FastAPI reads the body."""

from collections.abc import Callable, Coroutine
from typing import Any, cast

from fastapi import Request, Response
from fastapi.routing import APIRoute

from app.json_request import JsonRequest
from app.query_rules import QueryRules
from app.security import require_access, require_key


class ApiRoute(APIRoute):
    """A route of FastAPI that first requires access, then known query parameters, then a small strict JSON body.

    FastAPI itself reads and parses the body before any dependency runs. Routers take it as `route_class`.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        is_unsafe = any(dependency.call is require_key for dependency in self.dependant.dependencies)
        rules = QueryRules.of(self.dependant)
        takes_json = self.body_field is not None

        async def checked(request: Request) -> Response:
            if is_unsafe:
                require_access(request)
            rules.check(request)
            if takes_json:
                request = JsonRequest(request.scope, request.receive)
                await request.body()
            return await handle(request)

        return cast(Callable[[Request], Coroutine[Any, Any, Response]], checked)
