"""The OpenAPI document as a whole: what FastAPI leaves out of it, in the terms of OpenAPI 3.1 that generators read."""

import re
import threading
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError

from app.admission.admission import UNLIMITED_PATHS
from app.answer_examples import answer_examples
from app.errors import RateLimitedError
from app.openapi import ANY_CALL, HEADERS, REQUEST_ID, add_problem, headers
from app.protocols.documentation import paths
from app.protocols.router import ProtocolRouter
from app.schemas import Explanation, Labels, Numbers, Predictions, Problem, ProtocolError
from inkling.errors import DatabaseFileError

PROJECT = "https://github.com/inkling-digits/inkling"
FRAME: dict[str, Any] = {
    "contact": {"name": "Inkling", "url": f"{PROJECT}/issues"},
    "license_info": {"name": "MIT", "identifier": "MIT"},
    "servers": [{"url": ".", "description": "the server that sent this document, below the same path"}],
    "openapi_tags": [
        {"name": "predict", "description": "Read the digits and numbers on images, and explain a reading."},
        {"name": "train", "description": "Training runs: start, watch and cancel them."},
        {"name": "versions", "description": "The trained versions, their files, and which of them is served."},
        {"name": "feedback", "description": "Corrections of answers, from which the network can learn."},
        {"name": "metrics", "description": "The accuracy of the served version; counters for Prometheus."},
        {"name": "health", "description": "The probes of an orchestrator."},
        {"name": "problems", "description": "The kinds of errors."},
        {
            "name": "tensorflow serving v1",
            "description": "TensorFlow Serving's REST API, and KServe v1, for their clients and those of OpenVINO.",
        },
        {"name": "invocations", "description": "The one route of MLflow, SageMaker, Azure ML and Vertex AI."},
        {
            "name": "open inference v2",
            "description": "The Open Inference Protocol, version 2: for the clients of Triton, KServe and MLServer.",
        },
    ],
}
"""Arguments of FastAPI that describe the whole service."""

BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
"""Pydantic's names, which it leaves at bounded fields that have validators -> JSON Schema's."""

USES_REGISTRY = {"train", "versions", "feedback"}
"""The tags of the calls that read or write the registry."""

BY_HAND = (Problem, Predictions, Labels, Numbers, Explanation, ProtocolError)
"""The schemas of the answers that are encoded by hand: no route names them as its model."""


def install(app: FastAPI, protocols: Sequence[ProtocolRouter]) -> None:
    """Have the application complete its document, once, in whatever threads it is asked for."""
    generate, making = app.openapi, threading.Lock()

    def openapi() -> dict[str, Any]:
        with making:
            if app.openapi_schema is None:
                _complete(generate(), protocols)
            return generate()

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI documents it


def _complete(document: dict[str, Any], protocols: Sequence[ProtocolRouter]) -> None:
    components = document["components"]
    for model in BY_HAND:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        components["schemas"].update({**schema.pop("$defs", {}), model.__name__: schema})
    for name, example in answer_examples().items():
        components["schemas"][name]["examples"] = [example]
    components["headers"] = HEADERS
    for path, methods in document["paths"].items():
        for operation in methods.values():
            _complete_operation(path, operation)
    document["paths"].update(paths(protocols))
    for node in _objects(document):
        _restate(node)


def _complete_operation(path: str, operation: dict[str, Any]) -> None:
    """Add the summary, the errors of any such call, the header of every answer, and that a call needs no key."""
    first_line = operation.get("description", "").partition("\n")[0].removesuffix(".")
    if _is_generated(operation["summary"], operation["operationId"]) and first_line:
        operation["summary"] = first_line
    operation.setdefault("security", [])
    kinds = list(ANY_CALL)
    kinds += [] if path in UNLIMITED_PATHS else [RateLimitedError]
    kinds += [SQLAlchemyError, DatabaseFileError] if USES_REGISTRY.intersection(operation["tags"]) else []
    for kind in kinds:
        add_problem(operation["responses"], kind, instance=re.sub(r"{\w+}", "7", path))
    for status, response in operation["responses"].items():
        if response["description"] == "Successful Response":  # FastAPI's, where a route gives none
            response["description"] = HTTPStatus(int(status)).phrase
        response.setdefault("headers", {}).update(headers(REQUEST_ID))


def _is_generated(summary: str, operation_id: str) -> bool:
    return summary == operation_id.replace("_", " ").title()


def _objects(node: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of the document."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _objects(value)
    elif isinstance(node, list):
        for value in node:
            yield from _objects(value)


def _restate(node: dict[str, Any]) -> None:
    """Restate in terms of 3.1, and of the generators, what FastAPI and pydantic say in others."""
    node.pop("itemSchema", None)  # OpenAPI 3.2; the document is of 3.1, and the route describes the stream
    items = node.get("prefixItems")
    if isinstance(items, list) and items.count(items[0]) == len(items) == node.get("maxItems"):
        node["items"] = items[0]  # a tuple of one type is an array of fixed length
        del node["prefixItems"]
    elif isinstance(items, list):
        node.setdefault("items", {})
    for name, keyword in BOUNDS.items():
        if "type" in node and isinstance(node.get(name), int | float):
            node[keyword] = node.pop(name)
