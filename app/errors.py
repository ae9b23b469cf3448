"""The errors of the service: one table, exception class -> status and title; and one body for all, RFC 9457."""

import errno
import logging
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.known_paths import allowed_methods, nearest_path, shown_path
from inkling.errors import (
    CheckpointError,
    DatabaseFileError,
    DatasetError,
    IdempotencyKeyError,
    ImageError,
    ImageSizeError,
    InputError,
    NoDigitError,
    PromotionMovedError,
    QueueFullError,
    RunFinishedError,
    ServedVersionError,
    SeveralDigitsError,
    TooLargeError,
    UnknownRunError,
    UnknownVersionError,
    VersionQuotaError,
)
from inkling.registry.disk_full import is_disk_full

RETRY_FILES_S = 5.0

logger = logging.getLogger(__name__)


class MalformedRequestError(InputError):
    """What was sent is not an HTTP/1.1 request; the detail says why. The connection is closed."""


class RequestTimeoutError(InputError):
    """The client took too long to send its request; the detail names the limit. The connection is closed."""


class HeadersTooLargeError(InputError):
    """The head of the request has too many bytes or fields; the detail names the limit. The connection is closed."""


class CountError(InputError):
    """The call takes exactly one image; the detail says how many the body holds."""


class BodyError(InputError):
    """The body is not what its Content-Type says."""


class MediaTypeError(InputError):
    """The call does not accept this Content-Type; the detail lists those that it does."""


class ContentEncodingError(MediaTypeError):
    """The body has a Content-Encoding that is not decoded; the header Accept-Encoding lists those that are."""

    ACCEPTED = "gzip, deflate"


class DigestError(InputError):
    """The body is not the one whose digest the header Content-Digest states: it was changed on its way."""


class FieldError(InputError):
    """A field or parameter has an invalid value; `errors` names each, with the value."""


class AuthorizationError(InputError):
    """The call needs the API key, and it is missing or wrong."""


class OriginError(InputError):
    """The request came from a page of another site, or under a foreign host name."""


class UnavailableError(InputError):
    """The service cannot do this at the moment; the detail says what is missing."""


class BusyError(InputError):
    """A limit on work in progress is reached; the detail names it. Send the request again after `Retry-After`."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        """Seconds after which there is probably room again, from what was measured."""


class OverloadedError(BusyError):
    """The server has as much work or as many bytes in progress as it can hold; the detail names the limit."""


class RateLimitedError(BusyError):
    """This client sends more requests than its limit allows; the detail names it."""


TABLE: dict[type[Exception], tuple[int, str]] = {
    MalformedRequestError: (400, "Malformed request"),
    BodyError: (400, "Malformed body"),
    DigestError: (400, "Content digest mismatch"),
    AuthorizationError: (401, "API key required"),
    OriginError: (403, "Cross-origin request refused"),
    UnknownRunError: (404, "No such run"),
    UnknownVersionError: (404, "No such version"),
    RunFinishedError: (409, "The run has ended"),
    RequestTimeoutError: (408, "Request timeout"),
    ServedVersionError: (409, "The version is served"),
    PromotionMovedError: (412, "A newer promotion exists"),
    TooLargeError: (413, "Too large"),
    MediaTypeError: (415, "Unsupported media type"),
    FieldError: (422, "Invalid field"),
    ImageError: (422, "Not an image of a digit"),
    CountError: (422, "Exactly one image expected"),
    NoDigitError: (422, "No single digit in the picture"),
    CheckpointError: (422, "Not a checkpoint of this network"),
    IdempotencyKeyError: (422, "Idempotency key reused"),
    HeadersTooLargeError: (431, "Request header fields too large"),
    QueueFullError: (429, "Too many queued runs"),
    VersionQuotaError: (429, "Too many versions"),
    RateLimitedError: (429, "Too many requests"),
    OverloadedError: (503, "Overloaded"),
    UnavailableError: (503, "Temporarily unavailable"),
    DatasetError: (503, "The test images cannot be read"),
    DatabaseFileError: (503, "The database file is gone"),
    SQLAlchemyError: (503, "The registry cannot be reached"),
}

ADVICE: dict[type[Exception], str] = {
    UnknownRunError: "GET /train lists them",
    UnknownVersionError: "GET /versions lists them",
    QueueFullError: "try again when one has ended, or cancel one with DELETE /train/{id}",
    ImageSizeError: "fit=mnist normalizes it",
    SeveralDigitsError: "POST /read reads numbers",
    VersionQuotaError: "make room with DELETE /versions/{v}",
    ServedVersionError: "PUT /versions/current promotes one",
    PromotionMovedError: "read GET /versions/current and decide again",
}
"""The call that helps, for exceptions of the library, which does not name calls."""

MAX_ERRORS = 20
"""Fields that an answer names; of more it says how many."""
MAX_SHOWN = 100
"""Characters of a value or of a name that an answer shows."""
MAX_MESSAGE = 300
MAX_DEPTH = 6

_HEADERS: dict[int, dict[str, str]] = {
    401: {"WWW-Authenticate": "Bearer"},
    503: {"Retry-After": "5"},
}


def problem(
    request: Request,
    status: int,
    detail: str,
    title: str | None = None,
    *,
    errors: list[dict[str, Any]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return an error's answer: application/problem+json, RFC 9457."""
    scope = request.scope
    body: dict[str, Any] = {
        "type": f"/problems/{slug(title)}" if title else "about:blank",
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": scope["path"],  # not request.url, which is made of the Host header
        "request_id": scope.get("request_id", ""),
    }
    if status != 500:  # that is logged with its traceback
        scope["problem"] = (body["title"], detail)
    if errors:
        body["errors"] = errors
    return Response(
        orjson.dumps(body),
        status,
        headers={**_HEADERS.get(status, {}), **(headers or {})},
        media_type="application/problem+json",
    )


def slug(title: str) -> str:
    return title.lower().replace(" ", "-")


def install(app: FastAPI) -> None:
    """Register the handlers that answer each exception of the table, and FastAPI's own, as a problem."""
    for cls in TABLE:
        app.add_exception_handler(cls, answer_problem)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(RequestValidationError, _answer_validation)


def answer_unexpected(request: Request, error: Exception) -> Response:
    """Answer an unexpected exception: the client gets the request id, the log everything else."""
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        full = "the server has no file descriptors left; raise its `ulimit -n`, or lower INKLING_MAX_CONNECTIONS"
        logger.error("request %s: %s", request.scope.get("request_id", ""), full)
        return to_problem(request, OverloadedError(full, RETRY_FILES_S))
    request_id = request.scope.get("request_id", "")
    logger.error("request %s: %s %s", request_id, request.method, request.scope["path"], exc_info=error)
    return problem(request, 500, f"Internal error; the server's log has the details under request id {request_id}.")


def is_known(error: Exception) -> bool:
    """Return whether the table has an exception's answer."""
    return isinstance(error, tuple(TABLE))


async def answer_problem(request: Request, error: Exception) -> Response:
    """Answer an exception of the table."""
    return to_problem(request, error)


def to_problem(request: Request, error: Exception) -> Response:
    """Return the answer of an exception of the table."""
    status, title = next(TABLE[cls] for cls in type(error).__mro__ if cls in TABLE)
    if isinstance(error, SQLAlchemyError):
        logger.error("the registry cannot be reached: %s", error)
        detail = "its disk is full: free some space" if is_disk_full(error) else "it does not answer; try again"
        return problem(request, status, f"The database of runs and versions cannot be used: {detail}.", title)
    headers: dict[str, str] = {}
    if isinstance(error, QueueFullError | BusyError):
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    if isinstance(error, ContentEncodingError):
        headers["Accept-Encoding"] = error.ACCEPTED
    advice = ADVICE.get(type(error))
    detail = f"{error}; {advice}" if advice else str(error)
    return problem(request, status, detail, title, headers=headers)


async def _answer_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  as registered
    if isinstance(error.__cause__, InputError):  # FastAPI wraps what it meets while it reads the body
        return await answer_problem(request, error.__cause__)
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
    return problem(request, error.status_code, detail, headers=headers)


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
    return problem(request, status, detail, title, errors=errors)


def _shown(value: Any) -> Any:
    """Return a value as the answer shows it, cut to 100 characters."""
    if isinstance(value, float | bool | None) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    return _utf8(value if isinstance(value, str) else repr(value))[:MAX_SHOWN]


def _utf8(text: str) -> str:
    """Return text without unpaired surrogates: JSON can express them, UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode()
