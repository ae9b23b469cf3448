"""POST /predict without a query, answered directly: past FastAPI, to the byte as through it."""

from typing import Any

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from app.dependencies import Services
from app.errors import TABLE, of_table
from app.observability.middleware import RequestMiddleware
from app.serving.predictions import INLINE_BODY_BYTES, Answer, read_strict


class DirectFastAPI(FastAPI):
    """FastAPI, but for the one call whose answer takes less time than FastAPI's layers around it.

    Its exit stacks, dependencies, routing, Request and Response cost 110 us a request; reading an upload, decoding it,
    the network and the answer take 60. A POST /predict with a query (`fit=mnist`) goes through them, as all else does,
    and the route there documents the call.
    """

    def __init__(self, around: dict[str, Any], **options: Any) -> None:
        """`around`: what RequestMiddleware takes; it is around both ways."""
        super().__init__(**options)
        self.add_middleware(RequestMiddleware, **around)
        self._direct = RequestMiddleware(_predict, **around)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_direct = (
            scope["type"] == "http"
            and scope["path"] == "/predict"
            and scope["method"] == "POST"
            and not scope["query_string"]
        )
        if is_direct:
            scope["app"] = self
            scope["route"] = _Route
            await self._direct(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


class _Route:
    path = "/predict"
    """How the metrics call it."""


async def _predict(scope: Scope, receive: Receive, send: Send) -> None:
    try:
        answer = await _answer(scope, receive)
    except _FORESEEN as error:
        response = await of_table(Request(scope), error)
        await response(scope, receive, send)
        return
    await send({"type": "http.response.start", "status": 200, "headers": answer.headers})
    await send({"type": "http.response.body", "body": answer.content})


_FORESEEN = tuple(TABLE)


async def _answer(scope: Scope, receive: Receive) -> Answer:
    services: Services = scope["app"].state.services
    headers = dict(reversed(scope["headers"]))  # of several alike the first counts, as with Starlette
    content_type = headers.get(b"content-type", b"").decode("latin-1")
    accept = headers.get(b"accept", b"").decode("latin-1")
    body = await _body(receive)
    if len(body) <= INLINE_BODY_BYTES:
        return read_strict(body, content_type, accept, services)
    return await run_in_threadpool(read_strict, body, content_type, accept, services)


async def _body(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)
