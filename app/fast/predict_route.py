"""Fast path for POST /predict without a query: bypasses FastAPI's own layers, with byte-identical answers."""

from starlette._utils import get_route_path
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from app.serving.client_presence import while_connected
from app.serving.inference import Inference


class PredictRoute:
    """Answers a POST /predict without a query inside `RequestMiddleware`, before the application's own layers.

    It saves the exception handlers, routing, dependencies, Request and Response. A POST /predict with a query
    (`fit=mnist`) goes to the route in app/routes/predict.py, which also documents the call.
    """

    path = "/predict"

    def takes(self, scope: Scope) -> bool:
        """Return whether `handle` answers the request; a query or another method is left to FastAPI's route."""
        return scope["method"] == "POST" and not scope["query_string"] and get_route_path(scope) == self.path

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self
        content_type, accept = read_headers(scope)
        body = await _read_body(receive)
        inference: Inference = scope["app"].state.inference
        answer = inference.predict_at_once(body, content_type, accept)
        if answer is None:
            answer = await while_connected(receive, inference.predict_strict(body, content_type, accept))
        await send({"type": "http.response.start", "status": 200, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.content})


def read_headers(scope: Scope) -> tuple[str, str]:
    """Return Content-Type and Accept, empty if there is none; the first of several counts, as with Starlette."""
    content_type = accept = None
    for name, value in scope["headers"]:
        if name == b"content-type" and content_type is None:
            content_type = value.decode("latin-1")
        elif name == b"accept" and accept is None:
            accept = value.decode("latin-1")
    return content_type or "", accept or ""


async def _read_body(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)
