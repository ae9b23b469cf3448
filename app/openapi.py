"""The OpenAPI document: every error of every call, with an example of each."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from app.errors import TABLE, slug
from app.schemas import Predictions, Problem

PROBLEM = "application/problem+json"
BINARY = {"type": "string", "format": "binary"}


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
        for model in (Problem, Predictions):
            schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
            document["components"]["schemas"].update({**schema.pop("$defs"), model.__name__: schema})
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI documents it
