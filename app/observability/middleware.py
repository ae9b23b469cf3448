"""The middleware around every request: its admission, its id, its metrics, its log, and the answer to a crash."""

import asyncio
import time
from collections.abc import Sequence
from typing import Protocol

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.admission.admission import Admission
from app.error_answers import answer_error
from app.errors import UnavailableError
from app.observability.answered_request import UNMATCHED, AnsweredRequest, log_access
from app.observability.content_encoding import DecodedBody
from app.observability.error_ring import RecentError
from app.observability.exchange import Exchange
from app.observability.head_requests import as_get
from app.observability.metrics import Metrics
from app.observability.problem_log import ProblemLog
from app.observability.request_span import described_span
from app.protocol_paths import is_protocol_path
from inkling.logging_config import LOG_FIELDS
from inkling.tracing import TRACING

CLIENT_CLOSED_REQUEST = 499  # nginx's status for a client that did not wait


class FastRoute(Protocol):
    """Calls that are answered here, before the application's own layers."""

    def takes(self, scope: Scope) -> bool: ...
    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and set the scope's `route`, whose `path` is the request's label in the metrics."""


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
        fast_routes: Sequence[FastRoute] = (),
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._max_body_bytes = max_body_bytes
        self._access_log = access_log
        self._admission = admission or Admission()
        self._fast_routes = fast_routes
        self._problem_log = ProblemLog()
        self._is_traced = TRACING.is_on

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        self._metrics.in_flight += 1
        exchange = Exchange(scope, receive, send, self._max_body_bytes)
        scope["request_id"], scope["traceparent"] = exchange.request_id, exchange.traceparent
        budget, small = self._admission.budget, 0
        is_changed = self._is_traced or scope["method"] == "HEAD"
        inner, answer = self._changed(scope, exchange.send) if is_changed else (scope, exchange.send)
        try:
            if exchange.declared > self._max_body_bytes:
                exchange.refuse_size()
            self._admission.check(scope, exchange.host)
            if exchange.may_be_long or exchange.encoding:
                exchange.reservation = await budget.enter_in_turn(exchange.declared, _media_type(scope))
            else:
                small = budget.enter_small(exchange.declared)
            body = DecodedBody(exchange) if exchange.encoding else exchange
            for route in self._fast_routes:
                if route.takes(inner):
                    await route.handle(inner, body.receive, answer)
                    break
            else:
                LOG_FIELDS.set(exchange.log_fields)
                await self._run_application(inner, body.receive, answer)
        except ClientDisconnect:
            exchange.status = CLIENT_CLOSED_REQUEST
        except (Exception, asyncio.CancelledError) as error:  # the outermost boundary
            problem = _problem_of(error, inner)
            if exchange.status or problem is None:
                raise  # if the answer has begun, only breaking the connection is left
            # The application answers its own errors: this one is of the admission, of a fast route, or of a stop.
            LOG_FIELDS.set(exchange.log_fields)
            await answer_error(Request(inner), problem)(inner, receive, answer)
        finally:
            budget.leave_small(small)
            if exchange.reservation is not None:
                exchange.reservation.release()
            self._metrics.in_flight -= 1
            self._record(scope, inner, exchange.status, time.perf_counter() - started)

    async def _run_application(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)
        if "stream" in scope:  # the answer goes on when the application's layers have returned
            await scope["stream"].run(receive, send)

    def _changed(self, scope: Scope, send: Send) -> tuple[Scope, Send]:
        """Return what the application gets of a HEAD, or of any request if spans are made."""
        inner, answer = as_get(scope, send) if scope["method"] == "HEAD" else (scope, send)
        return inner, described_span(inner, answer) if self._is_traced else answer

    def _record(self, scope: Scope, inner: Scope, status: int, seconds: float) -> None:
        route = getattr(inner.get("route"), "path", UNMATCHED)
        at_write = scope.get("at_write")
        if at_write is None:
            self._metrics.observe(_method(scope), route, status, seconds)
        else:
            at_write(self._metrics.observe, (_method(scope), route, status, seconds))
        if self._access_log or status >= 400:
            self._log(AnsweredRequest.of(inner, scope["method"], status, seconds), _method(scope))

    def _log(self, request: AnsweredRequest, method: str) -> None:
        if self._access_log:
            log_access(request)
        if request.status >= 400 and request.problem_type:
            kind = request.problem_type
            self._metrics.count_problem(kind)
            self._metrics.record_error(
                RecentError(time.time(), request.request_id, method, request.route, request.status, kind)
            )
            self._problem_log.write(request)


def _problem_of(error: BaseException, scope: Scope) -> Exception | None:
    """Return the error to answer; None if the request was cancelled although the server does not stop.

    Uvicorn cancels the requests that are left at the end of a stop.
    """
    if isinstance(error, Exception):
        return error
    stopping: asyncio.Event | None = getattr(scope["app"].state, "stopping", None)
    if stopping is None or not stopping.is_set():
        return None
    return UnavailableError("the server stops, and the answer was not ready in time; send the request again")


def _media_type(scope: Scope) -> bytes:
    """Return the Content-Type of a body; the clients of other protocols send any, and JSON takes the most memory."""
    if is_protocol_path(scope["path"]):
        return b"application/json"
    return next((value for name, value in scope["headers"] if name == b"content-type"), b"")


def _method(scope: Scope) -> str:
    """Return the method as a label; invented ones share one, or each would become a time series."""
    method: str = scope["method"]
    return method if method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH") else "other"
