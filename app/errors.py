"""What can go wrong, in one table: exception class -> status and title; and one body for all, RFC 9457."""

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

from inkling.errors import (
    CheckpointError,
    DatasetError,
    IdempotencyKeyError,
    ImageError,
    InputError,
    NoDigitError,
    PromotionMovedError,
    QueueFullError,
    RunFinishedError,
    TooLargeError,
    UnknownRunError,
    UnknownVersionError,
)

logger = logging.getLogger(__name__)


class CountError(InputError):
    """The call takes exactly one image, and the body holds another number; the detail says how many."""


class BodyError(InputError):
    """The body is not what its Content-Type says."""


class MediaTypeError(InputError):
    """The Content-Type is none of those that the call takes."""


class FieldError(InputError):
    """A field or parameter has a value that it cannot have; `errors` names each, with the value."""


class AuthorizationError(InputError):
    """The call changes something, and the API key is missing or wrong."""


class OriginError(InputError):
    """A web page of another site sent the request; only this server's own pages may."""


class UnavailableError(InputError):
    """The service cannot do this now; the detail says what is missing."""


TABLE: dict[type[Exception], tuple[int, str]] = {
    BodyError: (400, "The body cannot be read"),
    AuthorizationError: (401, "An API key is needed"),
    OriginError: (403, "Another site may not ask for this"),
    UnknownRunError: (404, "No such run"),
    UnknownVersionError: (404, "No such version"),
    RunFinishedError: (409, "The run has ended"),
    PromotionMovedError: (412, "Another version was promoted meanwhile"),
    TooLargeError: (413, "Too large"),
    MediaTypeError: (415, "This format is not taken"),
    FieldError: (422, "A field is wrong"),
    ImageError: (422, "Not an image of a digit"),
    CountError: (422, "One image is expected"),
    NoDigitError: (422, "No single digit on the picture"),
    CheckpointError: (422, "Not a checkpoint of this network"),
    IdempotencyKeyError: (422, "The idempotency key was used for something else"),
    QueueFullError: (429, "Too many runs wait"),
    UnavailableError: (503, "Not available now"),
    DatasetError: (503, "The test images cannot be read"),
    SQLAlchemyError: (503, "The registry cannot be reached"),
}

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
    """Return the body that every error has: application/problem+json, RFC 9457."""
    body: dict[str, Any] = {
        "type": f"/problems/{slug(title)}" if title else "about:blank",
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": request.url.path,
        "request_id": request.scope.get("request_id", ""),
    }
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
    """Have every exception of the table, FastAPI's and Starlette's own, and the unforeseen answered as problems."""
    for cls in TABLE:
        app.add_exception_handler(cls, of_table)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_validation)


def unforeseen(request: Request, error: Exception) -> Response:
    """Answer what nobody foresaw: the client learns the request id, the log learns the rest."""
    request_id = request.scope.get("request_id", "")
    logger.error("request %s: %s %s", request_id, request.method, request.url.path, exc_info=error)
    return problem(request, 500, f"The server made a mistake; its log has the details under request id {request_id}.")


async def of_table(request: Request, error: Exception) -> Response:
    """Return the problem that the table makes of one of its exceptions."""
    status, title = next(TABLE[cls] for cls in type(error).__mro__ if cls in TABLE)
    if isinstance(error, SQLAlchemyError):
        logger.error("the registry cannot be reached: %s", error)
        is_full = "disk is full" in str(error) or "could not extend file" in str(error)
        detail = "its disk is full: free some space" if is_full else "it does not answer; try again"
        return problem(request, status, f"The database of runs and versions cannot be used: {detail}.", title)
    headers = {"Retry-After": str(math.ceil(error.retry_after_s))} if isinstance(error, QueueFullError) else None
    return problem(request, status, str(error), title, headers=headers)


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  as registered
    if isinstance(error.__cause__, InputError):  # FastAPI hides what went wrong while it read the body
        return await of_table(request, error.__cause__)
    details = {
        404: f"There is nothing at {request.url.path}; /docs lists what there is.",
        405: f"{request.url.path} does not take {request.method}.",
    }
    detail = details.get(error.status_code, str(error.detail))
    headers = dict(error.headers or {})
    path = getattr(request.scope.get("route"), "path", "")
    if error.status_code == 405 and (methods := request.app.openapi()["paths"].get(path)):
        headers["Allow"] = ", ".join(method.upper() for method in methods)  # Starlette names those of one route alone
    return problem(request, error.status_code, detail, headers=headers)


async def _of_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  as registered
    errors = [
        {
            "field": _utf8(".".join(str(part) for part in item["loc"])),
            "message": item["msg"],
            "value": _shown(item["input"]),
        }
        for item in error.errors()
    ]
    detail = "; ".join(f"{item['field']}: {item['message']}" for item in errors)
    if any(item["type"] == "json_invalid" for item in error.errors()):
        return await of_table(request, BodyError(f"the body is not JSON: {detail}"))
    is_of_body = any(item["loc"][0] == "body" for item in error.errors())
    if is_of_body and await request.body() and "json" not in request.headers.get("content-type", ""):
        return await of_table(request, MediaTypeError("send the body as JSON, with Content-Type: application/json"))
    status, title = TABLE[FieldError]
    return problem(request, status, detail, title, errors=errors)


def _shown(value: Any) -> Any:
    """Return a value as the answer may show it: whole if small, cut if not."""
    if isinstance(value, float | bool | None) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    return _utf8(value if isinstance(value, str) else repr(value))[:100]


def _utf8(text: str) -> str:
    """Return text without half surrogate pairs: JSON can spell them, and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode()
