"""The answers of errors: RFC 9457; below the paths of other protocols `{"error": text}`, which their clients read."""

import errno
import logging
import math
import traceback
from http import HTTPStatus
from typing import Any, NamedTuple

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.errors import (
    MAX_ERRORS,
    TABLE,
    BusyError,
    ContentEncodingError,
    FieldError,
    OverloadedError,
    ProtocolError,
    slug,
)
from app.known_paths import allowed_methods, nearest_path, shown_path
from app.protocol_paths import is_protocol_path
from app.public_paths import public_path
from inkling.errors import (
    FeedbackQuotaError,
    ImageSizeError,
    InputError,
    OtherDatasetError,
    PromotionMovedError,
    QueueFullError,
    ServedVersionError,
    SeveralDigitsError,
    UnknownCorrectionError,
    UnknownRunError,
    UnknownSearchError,
    UnknownVersionError,
    VersionQuotaError,
)
from inkling.registry.database_errors import describe_database_error, is_locked
from inkling.registry.disk_full import is_disk_full
from inkling.trace_context import trace_id_of

RETRY_FILES_S = 5.0

ADVICE: dict[type[Exception], str] = {
    UnknownRunError: "GET /train lists them",
    UnknownSearchError: "GET /searches lists them",
    UnknownVersionError: "GET /versions lists them",
    QueueFullError: "try again when one has ended, or cancel one with DELETE /train/{id} or DELETE /searches/{id}",
    ImageSizeError: "fit=mnist normalizes it",
    SeveralDigitsError: "POST /read reads numbers",
    UnknownCorrectionError: "GET /feedback lists them",
    FeedbackQuotaError: "make room with DELETE /feedback/{id}, or raise INKLING_MAX_FEEDBACK",
    VersionQuotaError: "make room with DELETE /versions/{v}",
    ServedVersionError: "PUT /versions/current promotes one",
    OtherDatasetError: "send across_datasets=true, or `inkling promote VERSION --across-datasets`, if you want that",
    PromotionMovedError: "read GET /versions/current and decide again: send its `promotion` as `if_promotion`",
}
"""The call that helps, for exceptions of the library, which does not name calls."""

MAX_SHOWN = 100
"""Characters of a value or of a name that an answer shows."""
MAX_MESSAGE = 300
MAX_DEPTH = 6

_HEADERS: dict[int, dict[str, str]] = {
    401: {"WWW-Authenticate": "Bearer"},
    503: {"Retry-After": "5"},
}

logger = logging.getLogger(__name__)


class ErrorFacts(NamedTuple):
    """What every protocol says of an error, each in its own form."""

    status: int
    """Of HTTP."""
    title: str | None
    """Its kind, in words; None if it has none beside its status."""
    detail: str
    headers: dict[str, str]
    """Beside those that every answer of its status has."""


def error_facts(error: Exception, request_id: str, call: str) -> ErrorFacts:
    """Return what to say of an exception. An unexpected one is logged: the client gets the request id, no internals.

    Args:
        error: any exception.
        request_id: of the request that it ended.
        call: its method and path, for the log.
    """
    if isinstance(error, ProtocolError):
        return ErrorFacts(error.status, None, str(error), error.headers)
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        full = "the server has no file descriptors left; raise its `ulimit -n`, or lower INKLING_MAX_CONNECTIONS"
        logger.error("request %s: %s", request_id, full)
        error = OverloadedError(full, RETRY_FILES_S)
    cls = next((cls for cls in type(error).__mro__ if cls in TABLE), None)
    if cls is None:
        logger.error("request %s: %s", request_id, call, exc_info=error)
        detail = f"Internal error; the server's log has the details under request id {request_id}."
        return ErrorFacts(500, None, detail, {})
    status, title = TABLE[cls]
    if isinstance(error, SQLAlchemyError):
        logger.error("the registry cannot be reached: %s", describe_database_error(error))
        words = f"The database of runs and versions cannot be used: {_database_trouble(error)}."
        return ErrorFacts(status, title, words, {})
    headers: dict[str, str] = {}
    if isinstance(error, QueueFullError | BusyError):
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    if isinstance(error, ContentEncodingError):
        headers["Accept-Encoding"] = error.ACCEPTED
    advice = ADVICE.get(type(error))
    return ErrorFacts(status, title, f"{error}; {advice}" if advice else str(error), headers)


def _database_trouble(error: SQLAlchemyError) -> str:
    """Return what is wrong with the database, without its own words: they name hosts and statements."""
    if is_disk_full(error):
        return "its disk is full: free some space"
    if is_locked(error):
        return "another process has locked it; try again"
    if "read-only" in str(error) or "readonly" in str(error):
        return "it can only be read at the moment"
    return "it does not answer; try again"


def answer_error(request: Request, error: Exception) -> Response:
    """Return the answer of any exception, of which nothing but its words is kept."""
    scope = request.scope
    answer = _encode(request, error_facts(error, scope.get("request_id", ""), f"{scope['method']} {scope['path']}"))
    release_frames(error)
    return answer


def release_frames(error: BaseException) -> None:
    """Delete the local variables of the calls that an exception ended: of a request, its body and what was parsed.

    An exception from a thread is in a cycle with the future that brought it, so they would stay until the garbage
    collector looks at everything.
    """
    chain: BaseException | None = error
    while chain is not None:
        traceback.clear_frames(chain.__traceback__)
        chain = chain.__cause__ or chain.__context__


def install(app: FastAPI) -> None:
    """Register the handlers that answer each exception of the table, and FastAPI's own."""
    for cls in TABLE:
        app.add_exception_handler(cls, _answer_known)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(RequestValidationError, _answer_validation)


async def _answer_known(request: Request, error: Exception) -> Response:
    return answer_error(request, error)


def _encode(request: Request, facts: ErrorFacts, errors: list[dict[str, Any]] | None = None) -> Response:
    scope, status = request.scope, facts.status
    title, detail = facts.title or HTTPStatus(status).phrase, _utf8(facts.detail)
    scope["problem"] = (title, detail)
    body: dict[str, Any]
    if "protocol" in scope or is_protocol_path(scope["path"]):
        # kserve compares the whole Content-Type; none of these protocols knows a 422
        status = 400 if status == 422 else status
        body, media_type = {"error": detail}, "application/json"
    else:
        media_type = "application/problem+json"
        body = {
            "type": public_path(scope, f"/problems/{slug(title)}") if facts.title else "about:blank",
            "title": title,
            "status": status,
            "detail": detail,
            "instance": public_path(scope, scope["path"]),  # not request.url, which is made of the Host header
            "request_id": scope.get("request_id", ""),
            **({"trace_id": trace_id} if (trace_id := trace_id_of(scope.get("traceparent"))) else {}),
            **({"errors": errors} if errors else {}),
        }
    headers = {**_HEADERS.get(status, {}), **facts.headers}
    return Response(orjson.dumps(body), status, headers, media_type)


async def _answer_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  as registered
    if isinstance(error.__cause__, InputError):  # FastAPI wraps what it meets while it reads the body
        return answer_error(request, error.__cause__)
    headers = dict(error.headers or {})
    path, detail = request.scope["path"], str(error.detail)
    if error.status_code == 404:
        nearest = nearest_path(request.app, path)
        advice = f"did you mean {nearest}?" if nearest else "/docs lists the calls."
        detail = f"There is nothing at {shown_path(path)}; {advice}"
    elif error.status_code == 405:
        # Starlette names the methods of one route only, of those that share the path.
        route = getattr(request.scope.get("route"), "path", "")
        headers["Allow"] = ", ".join(allowed_methods(request.app, route)) or headers.get("Allow", "GET, HEAD")
        detail = f"{shown_path(path)} does not take {request.method}, only {headers['Allow']}."
    return _encode(request, ErrorFacts(error.status_code, None, detail, headers))


async def _answer_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  as registered
    found = error.errors()
    errors = [
        {
            "field": _utf8(".".join(str(part)[:MAX_SHOWN] for part in item["loc"][:MAX_DEPTH])),
            "message": item["msg"][:MAX_MESSAGE],
            "value": _shown(item["input"]),
        }
        for item in found[:MAX_ERRORS]
    ]
    detail = "; ".join(f"{item['field']}: {item['message']}" for item in errors)
    if len(found) > MAX_ERRORS:
        detail += f"; and {len(found) - MAX_ERRORS} more"
    status, title = TABLE[FieldError]
    return _encode(request, ErrorFacts(status, title, detail, {}), errors)


def _shown(value: Any) -> Any:
    """Return a value as the answer shows it, cut to 100 characters."""
    if isinstance(value, float | bool | None) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    return _utf8(value if isinstance(value, str) else repr(value))[:MAX_SHOWN]


def _utf8(text: str) -> str:
    """Return text without unpaired surrogates: JSON can express them, UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode()
