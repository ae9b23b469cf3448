"""The OpenAPI document: the bodies that carry images, and every error of every call, with an example of each."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from app.bodies.images import MEDIA_TYPES
from app.errors import TABLE, slug
from app.schemas import Explanation, Predictions, Problem

PROBLEM = "application/problem+json"
BINARY = {"type": "string", "format": "binary"}

IMAGE_BODIES: dict[str, dict[str, Any]] = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "required": ["file"],
            "properties": {"file": {"type": "array", "items": BINARY, "description": "one image file a part"}},
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
    "application/octet-stream": {"schema": {**BINARY, "description": "uint8, 784 bytes an image"}},
    "application/x-npy": {"schema": {**BINARY, "description": "uint8, shaped as the numbers of JSON"}},
}
"""The request bodies of every call that reads images, by Content-Type; `app.images` reads them."""

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
    """Add the schemas that no route names as its model to the document: their answers are encoded by hand."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        for model in (Problem, Predictions, Explanation):
            schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
            document["components"]["schemas"].update({**schema.pop("$defs"), model.__name__: schema})
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI documents it
