"""The middleware around every request: its admission, its id, its metrics, its log, and the answer to a crash."""

import logging
import random
import re
import time
from typing import Final, NamedTuple

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.admission.admission import Admission
from app.admission.answer_headers import ANSWER_HEADERS
from app.errors import answer_problem, answer_unexpected
from app.observability.head_requests import as_get
from app.observability.metrics import Metrics
from app.observability.problem_log import ProblemLog
from inkling.errors import InputError, TooLargeError

SAFE_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
CLIENT_CLOSED_REQUEST = 499  # nginx's status for a client that did not wait
DISCARDED_BYTES: Final = 64 << 10
"""A body up to this size that an error leaves unread is read and discarded; after a larger one the connection ends."""
MAX_DIGITS = 19
"""Of a Content-Length that is read; longer ones are over every limit, too."""
_CLOSE = (b"connection", b"close")

logger = logging.getLogger("app.access")


class RequestMiddleware:
    """All that surrounds a request, in one middleware: each further layer costs a microsecond per request.

    It enforces the limit on bytes itself, because FastAPI's own `max_body_size` answers in text/plain.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        max_body_bytes: int,
        access_log: bool,
        admission: Admission | None = None,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._max_body_bytes = max_body_bytes
        self._access_log = access_log
        self._admission = admission or Admission()
        self._problem_log = ProblemLog()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        head = _read_head(scope)
        request_id = scope["request_id"] = _request_id(head.request_id)
        status, received, is_read = 0, 0, False
        inner = scope

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"]
                headers.append((b"x-request-id", request_id.encode()))
                headers += ANSWER_HEADERS
                if status >= 400 and not is_read and head.may_be_long:
                    headers.append(_CLOSE)
            await send(message)

        async def receive_within_limit() -> Message:
            nonlocal received, is_read
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_body_bytes:
                raise TooLargeError(self._too_large(f"more than {self._max_body_bytes}"))
            is_read = not message.get("more_body", False)
            return message

        answer: Send = send_with_headers
        if scope["method"] == "HEAD":
            inner, answer = as_get(scope, send_with_headers)
        try:
            if head.declared > self._max_body_bytes:
                raise TooLargeError(self._too_large(str(head.declared)))
            self._admission.check(scope, head.host)
            await self._app(inner, receive_within_limit, answer)
        except ClientDisconnect:
            status = CLIENT_CLOSED_REQUEST
        except InputError as error:  # of the admission: the application answers its own
            if status:
                raise
            await (await answer_problem(Request(inner), error))(inner, receive, answer)
        except Exception as error:  # the outermost boundary
            if status:
                raise  # the answer has begun: only breaking the connection is left
            await answer_unexpected(Request(inner), error)(inner, receive, answer)
        finally:
            self._record(scope, inner, status, time.perf_counter() - started)

    def _record(self, scope: Scope, inner: Scope, status: int, seconds: float) -> None:
        route = getattr(inner.get("route"), "path", "unmatched")
        self._metrics.observe(_method(scope), route, status, seconds)
        if self._access_log:
            logger.info(
                "%s %s %d %.1f ms %s", scope["method"], scope["path"], status, seconds * 1e3, scope["request_id"]
            )
        if status >= 400 and "problem" in inner:
            self._problem_log.write(inner, status)

    def _too_large(self, found: str) -> str:
        return f"the body is {found} bytes long, the limit is {self._max_body_bytes} (INKLING_MAX_BODY_BYTES)"


class _Head(NamedTuple):
    """What the middleware reads of a request's head."""

    request_id: bytes
    host: bytes | None
    """None: there is none, as only HTTP/1.0 allows; no browser does that."""
    declared: int
    """Content-Length; 0 if there is none."""
    may_be_long: bool
    """Whether the body may have more than DISCARDED_BYTES."""


def _read_head(scope: Scope) -> _Head:
    """Read the headers that count here; of several the first, except Host, of which there must be one."""
    given_id = length = b""
    host: bytes | None = None
    is_chunked = False
    for name, value in scope["headers"]:
        if name == b"host":
            host = value if host is None else host + b"," + value
        elif name == b"content-length":
            length = length or value
        elif name == b"x-request-id":
            given_id = given_id or value
        elif name == b"transfer-encoding":
            is_chunked = True
    declared = int(length[:MAX_DIGITS]) if length.isdigit() else 0
    return _Head(given_id, host, declared, is_chunked or declared > DISCARDED_BYTES)


def _request_id(given: bytes) -> str:
    if given and SAFE_REQUEST_ID.fullmatch(given):
        return given.decode()
    return f"{random.getrandbits(64):016x}"


def _method(scope: Scope) -> str:
    """Return the method as a label; invented ones share one, or each would become a time series."""
    method: str = scope["method"]
    return method if method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH") else "other"
