"""The span of a request, which FastAPI begins and ends: what it does not know of it."""

from starlette.types import Message, Scope, Send

from app.errors import slug
from inkling.tracing import TRACING


def described_span(scope: Scope, send: Send) -> Send:
    """Return a `send` that completes the span of a request when its answer begins.

    Calls that are answered before FastAPI's routes have no name there.
    """

    async def send_described(message: Message) -> None:
        if message["type"] == "http.response.start":
            attributes = {"inkling.request_id": scope["request_id"]}
            if "problem" in scope:
                attributes["inkling.problem"] = slug(scope["problem"][0])
            route = getattr(scope.get("route"), "path", None)
            if route:
                attributes["http.route"] = route
            TRACING.describe(attributes, name=f"{scope['method']} {route}" if route else None)
        await send(message)

    return send_described
