"""The documentation of a protocol's calls, as OpenAPI operations."""

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

from app.openapi import BINARY, HEADERS_OF_STATUS, REQUEST_ID, headers
from app.protocols.router import ProtocolRouter

ERROR_SCHEMA = "ProtocolError"
ANY_CALL = (403, 413, 429, 503)
"""What any call may be answered before its route is reached."""
EXAMPLES = {
    400: "`images` holds numbers from 0 to 255, expected floats from 0 to 1: divide by 255, or send UINT8",
    401: "send the header `Authorization: Bearer KEY`; it is INKLING_API_KEY, or in the file `api_key`",
    403: "Host is 'attacker.example', which is no name of this server",
    404: "there is no version 7; GET /versions lists them",
    413: "the body is 99999999 bytes long, the limit is 16777216 (INKLING_MAX_BODY_BYTES)",
    415: "Content-Encoding is br, expected gzip, deflate, or none",
    429: "203.0.113.7 sends more requests than INKLING_MAX_REQUESTS_PER_MINUTE allows; wait 0.5 s",
    501: "this call is not implemented",
    503: "no version is loaded yet; try again in a moment",
}
"""The text of an error, by its status."""


def operation(
    operation_id: str,
    tag: str,
    summary: str,
    *,
    example: Any,
    description: str | None = None,
    statuses: Sequence[int] = (),
    parameters: Sequence[dict[str, Any]] = (),
    bodies: dict[str, Any] | None = None,
    needs_key: bool = False,
) -> dict[str, Any]:
    """Return an OpenAPI operation whose answers are JSON and whose errors are `{"error": text}`.

    Args:
        operation_id: the name of the call in generated clients.
        tag: of its protocol.
        summary: what it does, in one line.
        example: of its answer; None: the answer is empty.
        description: more about it.
        statuses: of its errors beside ANY_CALL.
        parameters: of its path and headers.
        bodies: examples of its JSON body, an object, by their titles; each works if it is sent.
        needs_key: whether it is an unsafe call.
    """
    errors = {*statuses, *ANY_CALL, *((401,) if needs_key else ()), *((415,) if bodies is not None else ())}
    documented: dict[str, Any] = {
        "operationId": operation_id,
        "tags": [tag],
        "summary": summary,
        "description": description or f"{summary}.",
        "security": [{"HTTPBearer": []}, {"APIKeyHeader": []}] if needs_key else [],
        "parameters": list(parameters),
        "responses": {**_success(example), **_errors(errors)},
    }
    if bodies is not None:
        examples = {title: {"value": body} for title, body in bodies.items()}
        content = {"application/json": {"schema": {"type": "object"}, "examples": examples}}
        documented["requestBody"] = {"required": True, "content": content}
    return documented


def _success(example: Any) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": HTTPStatus.OK.phrase, "headers": headers(REQUEST_ID)}
    if example is not None:
        schema = {"type": "array", "items": {}} if isinstance(example, list) else {"type": "object"}
        answer["content"] = {"application/json": {"schema": schema, "example": example}}
    return {"200": answer}


def with_binary(documented: dict[str, Any], request: str, answer: str | None = None) -> dict[str, Any]:
    """Return an operation that also takes a binary body, and gives one if `answer` describes it."""
    documented["requestBody"]["content"]["application/octet-stream"] = {"schema": {**BINARY, "description": request}}
    if answer is not None:
        schema = {"contentMediaType": "application/octet-stream", "description": answer}
        documented["responses"]["200"]["content"]["application/octet-stream"] = {"schema": schema}
    return documented


def path_parameter(name: str, description: str, example: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": {"type": "string", "examples": [example]},
    }


def header_parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "description": description, "schema": schema}


def paths(routers: Iterable[ProtocolRouter]) -> dict[str, dict[str, Any]]:
    """Return the `paths` of an OpenAPI document: the operations of all documented routes."""
    found: dict[str, dict[str, Any]] = {}
    for router in routers:
        for route in router.routes:
            if route.operation:
                found.setdefault(route.path, {})[route.method.lower()] = route.operation
    return found


def _errors(statuses: Iterable[int]) -> dict[str, Any]:
    return {
        str(status): {
            "description": HTTPStatus(status).phrase,
            "content": {
                "application/json": {
                    "schema": {"$ref": f"#/components/schemas/{ERROR_SCHEMA}"},
                    "example": {"error": EXAMPLES[status]},
                }
            },
            "headers": headers(REQUEST_ID, *HEADERS_OF_STATUS.get(status, ())),
        }
        for status in sorted(statuses)
    }
