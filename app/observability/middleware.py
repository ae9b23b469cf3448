"""The middleware around every request: its id, the limit on its bytes, its metrics, and the answer to a crash."""

import logging
import random
import re
import time

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import answer_unexpected, problem
from app.observability.metrics import Metrics
from inkling.errors import TooLargeError

SAFE_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
CLIENT_CLOSED_REQUEST = 499  # nginx's status for a client that did not wait

logger = logging.getLogger("app.access")


class RequestMiddleware:
    """Enforces the limit on bytes itself, because FastAPI's own `max_body_size` answers in text/plain."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, max_body_bytes: int, access_log: bool) -> None:
        self._app = app
        self._metrics = metrics
        self._max_body_bytes = max_body_bytes
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        given_id, declared = _read_headers(scope)
        request_id = scope["request_id"] = _request_id(given_id)
        status, received = 0, 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((b"x-request-id", request_id.encode()))
            await send(message)

        async def receive_within_limit() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_body_bytes:
                raise TooLargeError(self._too_large(f"more than {self._max_body_bytes}"))
            return message

        try:
            if declared.isdigit() and int(declared) > self._max_body_bytes:
                answer = problem(Request(scope), 413, self._too_large(declared.decode()), "Too large")
                await answer(scope, receive, send_with_id)
            else:
                await self._app(scope, receive_within_limit, send_with_id)
        except ClientDisconnect:
            status = CLIENT_CLOSED_REQUEST
        except Exception as error:  # the outermost boundary
            if status:
                raise  # the answer has begun: only breaking the connection is left
            await answer_unexpected(Request(scope), error)(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - started
            route = getattr(scope.get("route"), "path", "unmatched")
            self._metrics.observe(_method(scope), route, status, seconds)
            if self._access_log:
                logger.info("%s %s %d %.1f ms %s", scope["method"], scope["path"], status, seconds * 1e3, request_id)

    def _too_large(self, found: str) -> str:
        return f"the body is {found} bytes long, the limit is {self._max_body_bytes} (INKLING_MAX_BODY_BYTES)"


def _read_headers(scope: Scope) -> tuple[bytes, bytes]:
    """Return X-Request-ID and Content-Length, of several the first; empty if there is none."""
    given_id = declared = b""
    for name, value in scope["headers"]:
        if name == b"content-length":
            declared = declared or value
        elif name == b"x-request-id":
            given_id = given_id or value
    return given_id, declared


def _request_id(given: bytes) -> str:
    if given and SAFE_REQUEST_ID.fullmatch(given):
        return given.decode()
    return f"{random.getrandbits(64):016x}"


def _method(scope: Scope) -> str:
    """Return the method as a label; invented ones share one, or each would become a time series."""
    method: str = scope["method"]
    return method if method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH") else "other"
