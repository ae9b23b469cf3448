"""POST /invocations and its kin: one route of MLflow, SageMaker, Azure ML and Vertex AI, with the bodies of v1."""

from typing import Any, Final
from urllib.parse import parse_qs

from app.errors import MediaTypeError, ProtocolError
from app.openapi import BINARY
from app.protocols.calls import Call, ProtocolAnswer, json_answer
from app.protocols.documentation import operation
from app.protocols.router import ProtocolRoute, ProtocolRouter
from app.protocols.tf_serving_v1 import SCORES_EXAMPLE, STROKE, score
from app.protocols.tf_serving_v1_request import (
    COLUMNS,
    RECORDS,
    ROWS,
    SPLIT,
    Tensor,
    fit_of,
    parse_json,
    read_tensor,
    require_fit,
)
from app.settings import VertexAi
from inkling.file_kinds import IMAGE_KINDS, file_kind
from inkling.predictor import Fit

PROTOCOL: Final = "invocations"
KEYS: Final = (ROWS, COLUMNS, SPLIT, RECORDS)
JSON_TYPES: Final = ("", "application/json", "application/x-www-form-urlencoded", "application/octet-stream")
"""Content-Types of bodies that may be JSON: `curl -d` sends the third, many clients the last or none."""
_TAG = "invocations"


def router() -> ProtocolRouter:
    """Return the routes that MLflow, SageMaker and Azure ML ask."""
    return ProtocolRouter(("/invocations", "/score"), (_route("/invocations", "invoke"), _route("/score", "score")))


def vertex_ai_router(vertex_ai: VertexAi) -> ProtocolRouter:
    """Return the routes that Vertex AI asks, at the paths that it names; none where it names none."""
    predict, health = vertex_ai.predict_route, vertex_ai.health_route
    routes = [
        *([ProtocolRoute("POST", predict, _invoke)] if predict else ()),
        *([ProtocolRoute("GET", health, _health)] if health else ()),
    ]
    return ProtocolRouter([route.path for route in routes], routes)


async def _health(call: Call) -> ProtocolAnswer:
    predictor = await call.ready_predictor()
    return json_answer({"status": "ready", "version": predictor.version})


async def _invoke(call: Call) -> ProtocolAnswer:
    content_type = (call.header(b"content-type") or b"").decode("latin-1").partition(";")[0].strip().lower()
    body = await call.body()
    if content_type.startswith("image/") or content_type == "application/x-image" or file_kind(body) in IMAGE_KINDS:
        tensor, fit = Tensor(None, [body]), _fit_of_query(call)
    elif content_type in JSON_TYPES or content_type.endswith("+json"):
        tensor, fit = await _read_json(call, body)
    else:
        raise MediaTypeError(
            f"Content-Type is {content_type[:100]}, expected application/json, or one image as image/*"
        )
    predictions = await score(call, tensor, PROTOCOL, fit=fit)
    return json_answer({"predictions": predictions.probabilities})


async def _read_json(call: Call, body: bytes) -> tuple[Tensor, Fit]:
    parsed = await call.parsed(parse_json, body)
    found = [key for key in KEYS if key in parsed.document]
    if len(found) != 1:
        raise ProtocolError(400, f"expected one of the keys {', '.join(KEYS)}; found {', '.join(found) or 'none'}")
    fit = fit_of(parsed.document)
    return await call.computed(parsed.size, read_tensor, parsed, found[0]), fit


def _fit_of_query(call: Call) -> Fit:
    values = parse_qs(call.scope["query_string"].decode("latin-1")).get("fit", ["strict"])
    return require_fit(values[-1])


def _route(path: str, operation_id: str) -> ProtocolRoute:
    documented = operation(
        operation_id,
        _TAG,
        "Read the digits on images, as MLflow, SageMaker and Azure ML ask",
        example={"predictions": SCORES_EXAMPLE},
        description=(
            f"JSON with one of `{ROWS}`, `{COLUMNS}`, `{SPLIT}` and `{RECORDS}`: integers 0 to 255, floats 0 to 1, or "
            'image files in Base64, as in /v1; with `"parameters": {"fit": "mnist"}` pictures of any size. Or one '
            "image file with its Content-Type, with the query `fit=mnist` of any size."
        ),
        statuses=(400,),
        bodies=_BODIES,
    )
    documented["requestBody"]["content"]["image/png"] = {"schema": {**BINARY, "description": "one image file"}}
    return ProtocolRoute("POST", path, _invoke, documented)


_BODIES: dict[str, Any] = {
    "one image of a 1": {ROWS: [STROKE]},
    "the same in a data frame": {SPLIT: {"columns": ["image"], "data": [[STROKE]]}},
}
