"""The documentation of the calls: the bodies that carry images; headers; the errors of each call with examples."""

from http import HTTPStatus
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response

from app.bodies.images import MEDIA_TYPES
from app.errors import (
    TABLE,
    BodyError,
    FieldError,
    MediaTypeError,
    OriginError,
    OverloadedError,
    UnavailableError,
    slug,
)
from inkling.errors import ImageError, NoDigitError, TooLargeError

PROBLEM = "application/problem+json"
BINARY = {"type": "string", "format": "binary"}

VERTICAL_STROKE = [[0] * 28] * 4 + [[0] * 13 + [255] * 3 + [0] * 12] * 20 + [[0] * 28] * 4
VERTICAL_STROKE_PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAABwAAAAcCAAAAABXZoBIAAAAG0lEQVR4nGNgoD9gROH9RxVgwqdzVHJUcuAAAOxDASipOH8uAAAAAElFTkSuQmCC"
)
IMAGE_BODIES: dict[str, dict[str, Any]] = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "required": ["file"],
            "properties": {"file": {"type": "array", "items": BINARY, "description": "one image file per part"}},
        }
    },
    "application/json": {
        "schema": {
            "type": "object",
            "required": ["images"],
            "properties": {
                "images": {
                    "type": "array",
                    "items": {},
                    "description": (
                        "(28, 28), (n, 28, 28) or (n, 784), 0 to 255; with fit=mnist any (n, h, w); "
                        "or image files as data: URIs in Base64, one string per image"
                    ),
                }
            },
        },
        "examples": {
            "one image of a 1": {"value": {"images": [VERTICAL_STROKE]}},
            "the same as a file": {"value": {"images": [f"data:image/png;base64,{VERTICAL_STROKE_PNG}"]}},
        },
    },
    "application/octet-stream": {
        "schema": {**BINARY, "description": "uint8, 784 bytes per image; or an image or .npy file"}
    },
    "application/x-npy": {"schema": {**BINARY, "description": "numbers 0 to 255, in the shapes that JSON may have"}},
    **{media_type: {"schema": BINARY} for media_type in reversed(MEDIA_TYPES) if media_type.startswith("image/")},
}
"""The request bodies of every call that reads images, by Content-Type; `app.bodies.images` reads them.

PNG is the last: openapi-python-client sends a file under the last type that it knows.
"""

REQUEST_ID = "X-Request-ID"
HEADERS: dict[str, dict[str, Any]] = {
    REQUEST_ID: {
        "schema": {"type": "string"},
        "description": "the id that the client sent under this name, or a new one; the server's log has it",
        "example": "5f1c0f8e2b7a4d93",
    },
    "Retry-After": {
        "schema": {"type": "integer", "minimum": 1},
        "description": "seconds after which the request may be sent again",
        "example": 5,
    },
    "WWW-Authenticate": {
        "schema": {"type": "string"},
        "description": "the way to send the API key",
        "example": "Bearer",
    },
    "Location": {
        "schema": {"type": "string", "format": "uri-reference"},
        "description": "the path of what was made",
        "example": "/train/7",
    },
    "ETag": {
        "schema": {"type": "string"},
        "description": "of the promotion, for If-Match; or of the file",
        "example": '"3"',
    },
    "Content-Digest": {
        "schema": {"type": "string"},
        "description": "SHA-256 of the body (RFC 9530)",
        "example": "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:",
    },
    "X-Step": {"schema": {"type": "integer"}, "description": "steps that were taken", "example": 3000},
    "X-Largest-Weight": {
        "schema": {"type": "number"},
        "description": "the magnitude of the largest weight, which is sent as the byte 127 or -127",
        "example": 0.51,
    },
    "X-Model-Version": {
        "schema": {"type": "integer"},
        "description": "the version that answered",
        "example": 1,
    },
    "Server-Timing": {
        "schema": {"type": "string"},
        "description": "milliseconds of decode and model; with fit=mnist decode includes the normalization",
        "example": "decode;dur=0.041, model;dur=0.018",
    },
}
"""The headers of answers; a response refers to them."""

HEADERS_OF_STATUS: dict[int, tuple[str, ...]] = {
    401: ("WWW-Authenticate",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}

ANY_CALL: tuple[type[Exception], ...] = (TooLargeError, OriginError, FieldError, OverloadedError)
"""What any call may meet before its route is reached."""

DETAILS: dict[type[Exception], str] = {
    SQLAlchemyError: "The database of runs and versions cannot be used: it does not answer; try again.",
}
"""The detail of an example, where the exception's docstring, which is not ours, would say too little."""

IMAGE_ERRORS: tuple[type[Exception], ...] = (
    BodyError,
    TooLargeError,
    MediaTypeError,
    ImageError,
    NoDigitError,
    FieldError,
    UnavailableError,
)
"""What every call that reads images may raise."""


def image_call(
    path: str,
    *errors: type[Exception],
    model: str,
    example: Any,
    description: str,
    other_media_types: dict[str, str],
    bodies: dict[str, dict[str, Any]] = IMAGE_BODIES,
) -> dict[str, Any]:
    """Return the documentation of a call that reads images, as arguments of its route's decorator.

    Args:
        path: of the call.
        errors: that it raises beside IMAGE_ERRORS.
        model: the schema of its JSON answer.
        example: of that answer.
        description: of the answer.
        other_media_types: the answer's other Content-Type -> its description.
        bodies: Content-Type -> the request's body.
    """
    # In 3.1's own words; with BINARY, orval's client would read every answer as a Blob, JSON too.
    others = {
        media_type: {"schema": {"contentMediaType": media_type, "description": meaning}}
        for media_type, meaning in other_media_types.items()
    }
    answer = {"schema": {"$ref": f"#/components/schemas/{model}"}, "example": example}
    return {
        "response_class": Response,
        "openapi_extra": {"requestBody": {"required": True, "content": bodies}},
        "responses": {
            200: {
                "description": description,
                "content": {"application/json": answer, **others},
                "headers": headers("X-Model-Version", "Server-Timing"),
            },
            **problems(*IMAGE_ERRORS, *errors, instance=path),
        },
    }


def problems(*kinds: type[Exception], instance: str = "/predict") -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that raises these exceptions of the table."""
    responses: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        add_problem(responses, kind, instance)
    return responses


def add_problem(responses: dict[Any, dict[str, Any]], kind: type[Exception], instance: str) -> None:
    """Add an exception of the table to the `responses` of an operation; their keys are text, as in the document."""
    status, title = TABLE[kind]
    response = responses.setdefault(
        str(status),
        {
            "description": HTTPStatus(status).phrase,
            "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}},
            "headers": headers(*HEADERS_OF_STATUS.get(status, ())),
        },
    )
    response["content"][PROBLEM]["examples"][title] = {
        "value": {
            "type": f"/problems/{slug(title)}",
            "title": title,
            "status": status,
            "detail": DETAILS.get(kind) or (kind.__doc__ or title).strip(),
            "instance": instance,
            "request_id": "5f1c0f8e2b7a4d93",
        }
    }


def headers(*names: str) -> dict[str, dict[str, str]]:
    """Return the `headers` of a response that carries these of HEADERS."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
