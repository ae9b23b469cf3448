"""The gRPC server: Open Inference and TensorFlow Serving in the event loop of the HTTP server."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import grpc
from google.protobuf.message import DecodeError

from app.admission.admission import Admission
from app.admission.byte_budget import SMALL_BODY_BYTES
from app.error_answers import release_frames
from app.errors import TABLE, ProtocolError, RequestTimeoutError
from app.observability.answered_request import AnsweredRequest, log_access
from app.observability.metrics import Metrics
from app.observability.problem_log import ProblemLog
from app.observability.request_head import request_id_of
from app.protocols.grpc_messages import MESSAGES
from app.settings import Settings
from inkling.logging_config import LOG_FIELDS
from inkling.trace_context import read_traceparent, trace_id_of
from inkling.tracing import TRACING

MAX_MESSAGE_BYTES = 4 << 20
"""Of a request, as by gRPC's default: gRPC reads a message whole before anybody can refuse it."""
MAX_CALLS = 32
"""Calls that are answered at a time."""
MAX_WAITING = 512
"""Calls whose message has not come yet; of more, the one that has waited longest is ended."""
GRACE_S = 7.0
"""Seconds for open calls when the server stops, as of HTTP."""

CHECK_S = 0.2
"""Seconds between two looks whether the server still serves."""

CODES = {
    401: grpc.StatusCode.UNAUTHENTICATED,
    404: grpc.StatusCode.NOT_FOUND,
    408: grpc.StatusCode.DEADLINE_EXCEEDED,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    500: grpc.StatusCode.INTERNAL,
    501: grpc.StatusCode.UNIMPLEMENTED,
    503: grpc.StatusCode.UNAVAILABLE,
}
"""By the HTTP status of the same error; of all others, INVALID_ARGUMENT."""

Handler = Callable[[Any], Awaitable[Any]]
"""Message -> message, of the classes that the service names."""

logger = logging.getLogger(__name__)


class GrpcServer:
    """Answers calls of gRPC until it is stopped.

    Args:
        settings: with a `grpc_port`.
        admission: the limits that HTTP has, too.
        metrics: where calls are counted, by their paths and the HTTP status of the same outcome.
        services: by their full names, the methods of each: the name of its request, and its handler.
    """

    def __init__(
        self,
        settings: Settings,
        admission: Admission,
        metrics: Metrics,
        services: Mapping[str, Mapping[str, tuple[str, Handler]]],
    ) -> None:
        self._settings = settings
        self._admission = admission
        self._metrics = metrics
        self._services = services
        self._problem_log = ProblemLog()
        self._is_draining = False
        self._calls = 0
        """That are being answered."""
        self._waiting: dict[asyncio.Timeout, None] = {}
        """The time limits of calls whose message has not come, in their order."""

    async def start(self) -> None:
        """Listen, until `drain`.

        Raises:
            RuntimeError: the port is taken, or the host is none of this machine.
        """
        await self._listen()
        self._keeper = asyncio.create_task(self._keep_listening())

    async def _listen(self) -> None:
        self._server = grpc.aio.server(
            options=(
                ("grpc.max_receive_message_length", min(MAX_MESSAGE_BYTES, self._settings.max_body_bytes)),
                ("grpc.so_reuseport", int(self._settings.workers > 1)),  # one worker only must not share its port
            ),
        )
        for service, methods in self._services.items():
            handlers = {
                method: grpc.stream_unary_rpc_method_handler(self._handler(f"/{service}/{method}", request, handle))
                for method, (request, handle) in methods.items()
            }
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        host = f"[{self._settings.host}]" if ":" in self._settings.host else self._settings.host
        self._server.add_insecure_port(f"{host}:{self._settings.grpc_port}")
        await self._server.start()
        logger.info("gRPC listens on %s:%s", host, self._settings.grpc_port)

    async def _keep_listening(self) -> None:
        """Listen again whenever grpc.aio has ended by itself: it does so at a call whose path is not UTF-8.

        Its own end waits for the open calls, which would be as long as a client likes; it is seen before.
        """
        while not self._is_draining:
            try:
                await self._server.wait_for_termination(CHECK_S)
            except Exception as error:
                logger.error("gRPC ended and starts again: %s", error)
                await self._server.stop(None)
                await self._listen()

    async def drain(self, delay_s: float = 0) -> None:
        """Take no more calls after a delay, and wait for the open ones."""
        await asyncio.sleep(delay_s)
        self._is_draining = True
        await self._server.stop(GRACE_S)
        await asyncio.wait([self._keeper])

    def _handler(self, path: str, request: str, handle: Handler) -> Callable[[Any, Any], Awaitable[bytes]]:
        """Return what gRPC calls for a stream of messages, of which there is one.

        gRPC would wait for the one message of a unary call as long as the client likes, and count the call as one that
        is answered. It gives the bytes: so that a damaged message is the client's error, not ours.
        """

        async def answer(messages: Any, context: Any) -> bytes:
            request_id, traceparent = _identify(context)
            with TRACING.continued(
                path, "SERVER", traceparent, {"rpc.system": "grpc", "inkling.request_id": request_id}
            ):
                traceparent = TRACING.traceparent() or traceparent
                LOG_FIELDS.set({"request_id": request_id, "trace_id": trace_id_of(traceparent)})
                return await answer_call(context, request_id, trace_id_of(traceparent))

        async def answer_call(context: Any, request_id: str, trace_id: str | None) -> bytes:
            started = time.perf_counter()
            status, text, problem, answered = 200, "", None, b""
            try:
                content = await self._receive(context)
                answered = await self._answer_in_turn(content, context.peer(), request, handle)
            except asyncio.CancelledError:
                status = 499
                raise
            except Exception as error:  # the outermost boundary
                (status, title), text = _status_and_title(error), str(error)
                if status == 500:
                    logger.exception("%s failed", path)
                    text = f"the server failed; its log says why under request id {request_id}"
                problem = title, text
                release_frames(error)
            finally:
                seconds, client = time.perf_counter() - started, _address(context.peer())
                TRACING.describe({"http.response.status_code": status}, is_failed=status >= 500)
                self._metrics.observe("POST", path, status, seconds)
                self._log(AnsweredRequest(request_id, trace_id, client, "POST", path, path, status, seconds, problem))
            if status != 200:
                await context.abort(CODES.get(status, grpc.StatusCode.INVALID_ARGUMENT), text)
            return answered

        return answer

    def _log(self, call: AnsweredRequest) -> None:
        if self._settings.access_log:
            log_access(call)
        if call.problem_type:
            self._metrics.count_problem(call.problem_type)
            self._problem_log.write(call)

    async def _receive(self, context: Any) -> bytes:
        """Return the message of a call.

        Raises:
            RequestTimeoutError: it does not come in time, or more calls than MAX_WAITING wait for theirs.
            ProtocolError: the call has none.
        """
        limit_s = self._settings.client_timeout_s
        if len(self._waiting) >= MAX_WAITING:
            next(iter(self._waiting)).reschedule(asyncio.get_running_loop().time())
        try:
            async with asyncio.timeout(limit_s) as limit:
                self._waiting[limit] = None
                try:
                    content = await context.read()
                finally:
                    del self._waiting[limit]
        except TimeoutError as error:
            raise RequestTimeoutError(
                f"the message of the call did not come within {limit_s:g} s (INKLING_CLIENT_TIMEOUT_S), or more than "
                f"{MAX_WAITING} calls wait for theirs"
            ) from error
        if content is grpc.aio.EOF:
            raise ProtocolError(400, "the call has no message, expected one")
        message: bytes = content
        return message

    async def _answer_in_turn(self, content: bytes, peer: str, request: str, handle: Handler) -> bytes:
        if self._calls >= MAX_CALLS:
            raise ProtocolError(429, f"{MAX_CALLS} calls are being answered, the limit; try again")
        self._calls += 1
        try:
            return await self._answer(content, peer, request, handle)
        finally:
            self._calls -= 1

    async def _answer(self, content: bytes, peer: str, request: str, handle: Handler) -> bytes:
        self._admission.require_rate({"client": (_address(peer), 0)})
        try:
            message = MESSAGES[request].FromString(content)
        except DecodeError as error:
            raise ProtocolError(400, f"the message is no {request}: {error}") from error
        if len(content) <= SMALL_BODY_BYTES:
            answer: bytes = (await handle(message)).SerializeToString()
            return answer
        reservation = await self._admission.budget.enter_in_turn(len(content), b"application/grpc")
        try:
            answer = (await handle(message)).SerializeToString()
        finally:
            reservation.release()
        return answer


def _address(peer: str) -> str:
    """Return the address of a client, which gRPC gives as `ipv4:127.0.0.1:5000` or `ipv6:%5B::1%5D:5000`."""
    return unquote(peer.partition(":")[2].rpartition(":")[0]).strip("[]")


def _identify(context: Any) -> tuple[str, str | None]:
    """Return the id of a call, which its answer has, too, and its traceparent, both from its metadata."""
    metadata = {name: value for name, value in context.invocation_metadata() or () if isinstance(value, str)}
    request_id = request_id_of(metadata.get("x-request-id", "").encode())
    context.set_trailing_metadata((("x-request-id", request_id),))
    return request_id, read_traceparent(metadata.get("traceparent", ""))


def _status_and_title(error: Exception) -> tuple[int, str]:
    """Return the HTTP status of an error, and its kind in words."""
    status = error.status if isinstance(error, ProtocolError) else HTTPStatus.INTERNAL_SERVER_ERROR
    found = next((TABLE[kind] for kind in type(error).__mro__ if kind in TABLE), None)
    return found or (status, HTTPStatus(status).phrase)
