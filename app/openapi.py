"""The OpenAPI document: the bodies that carry images, and the errors of each call with examples."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from starlette.responses import Response

from app.bodies.images import MEDIA_TYPES
from app.errors import TABLE, BodyError, FieldError, MediaTypeError, UnavailableError, slug
from app.schemas import Explanation, Predictions, Problem
from inkling.errors import ImageError, NoDigitError, TooLargeError

PROBLEM = "application/problem+json"
BINARY = {"type": "string", "format": "binary"}

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
                    "description": "(28, 28), (n, 28, 28) or (n, 784), 0 to 255; with fit=mnist any (n, h, w)",
                }
            },
        },
        "examples": {"one blank image": {"value": {"images": [[[0] * 28] * 28]}}},
    },
    **{media_type: {"schema": BINARY} for media_type in MEDIA_TYPES if media_type.startswith("image/")},
    "application/octet-stream": {"schema": {**BINARY, "description": "uint8, 784 bytes per image"}},
    "application/x-npy": {"schema": {**BINARY, "description": "uint8, in the shapes that JSON may have"}},
}
"""The request bodies of every call that reads images, by Content-Type; `app.bodies.images` reads them."""

ANSWER_HEADERS: dict[str, dict[str, Any]] = {
    "X-Model-Version": {
        "schema": {"type": "integer"},
        "description": "the version that answered",
    },
    "Server-Timing": {
        "schema": {"type": "string"},
        "description": "milliseconds of decode and model; with fit=mnist decode includes the normalization",
    },
}
"""Of every answer that the network gives."""

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
    example: dict[str, Any],
    description: str,
    other_media_type: dict[str, dict[str, Any]],
) -> dict[str, Any]:
    """Return the documentation of a call that reads images, as arguments of its route's decorator.

    Args:
        path: of the call.
        errors: that it raises beside IMAGE_ERRORS.
        model: the schema of its JSON answer.
        example: of that answer.
        description: of the answer.
        other_media_type: the answer's other Content-Type -> its description.
    """
    answer = {"schema": {"$ref": f"#/components/schemas/{model}"}, "example": example}
    return {
        "response_class": Response,
        "openapi_extra": {"requestBody": {"required": True, "content": IMAGE_BODIES}},
        "responses": {
            200: {
                "description": description,
                "content": {"application/json": answer, **other_media_type},
                "headers": ANSWER_HEADERS,
            },
            **problems(*IMAGE_ERRORS, *errors, instance=path),
        },
    }


def problems(*kinds: type[Exception], instance: str = "/predict") -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that raises these exceptions of the table."""
    responses: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        status, title = TABLE[kind]
        response = responses.setdefault(
            status,
            {
                "description": HTTPStatus(status).phrase,
                "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}},
            },
        )
        response["content"][PROBLEM]["examples"][title] = {
            "value": {
                "type": f"/problems/{slug(title)}",
                "title": title,
                "status": status,
                "detail": (kind.__doc__ or title).strip(),
                "instance": instance,
                "request_id": "5f1c0f8e2b7a4d93",
            }
        }
    return responses


def install(app: FastAPI) -> None:
    """Add the schemas of the answers that are encoded by hand: no route names them as its model."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        for model in (Problem, Predictions, Explanation):
            schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
            document["components"]["schemas"].update({**schema.pop("$defs"), model.__name__: schema})
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI documents it
