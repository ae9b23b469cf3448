"""Answers to connections and requests that never reach the application: the same errors, as bytes."""

import random

from starlette.requests import Request
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from app.admission.answer_headers import ANSWER_HEADERS
from app.error_answers import answer_error
from inkling.errors import InputError


def refused_scope(client: tuple[str, int] | None, path: str) -> Scope:
    """Return what is known of a request that was not read."""
    return {
        "type": "http",
        "method": "-",
        "path": path,
        "headers": [],
        "client": client,
        "request_id": f"{random.getrandbits(64):016x}",
    }


def encode_refusal(error: InputError, scope: Scope, default_headers: list[tuple[bytes, bytes]]) -> tuple[int, bytes]:
    """Return the status and the bytes of the whole answer, after which the connection ends."""
    response = answer_error(Request(scope), error)
    headers = [
        *default_headers,
        *response.raw_headers,
        *ANSWER_HEADERS,
        (b"x-request-id", scope["request_id"].encode()),
        (b"connection", b"close"),
    ]
    lines = b"".join(b"%b: %b\r\n" % header for header in headers)
    return response.status_code, STATUS_LINE[response.status_code] + lines + b"\r\n" + bytes(response.body)
