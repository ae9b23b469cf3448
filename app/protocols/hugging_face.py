"""POST /labels: the image classification of Hugging Face, whose clients take any URL."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.api_route import ApiRoute
from app.dependencies import FitMode, InferenceDep
from app.errors import CountError
from app.openapi import IMAGE_BODIES, VERTICAL_STROKE_PNG, image_call
from app.serving.client_presence import while_connected
from app.serving.inference import NonePolicy

router = APIRouter(route_class=ApiRoute, tags=["predict"])

_ANSWER = [{"label": "1", "score": 0.998}, {"label": "7", "score": 0.001}, {"label": "4", "score": 0.0005}]
_BODIES: dict[str, dict[str, Any]] = {
    **IMAGE_BODIES,
    "application/json": {
        "schema": {
            "type": "object",
            "required": ["inputs"],
            "properties": {
                "inputs": {"type": "string", "description": "an image file in Base64"},
                "parameters": {
                    "type": "object",
                    "properties": {
                        "top_k": {"type": "integer", "minimum": 1, "description": "the number of labels; default: 5"}
                    },
                    "description": "of the answer",
                },
            },
        },
        "examples": {"a 1": {"value": {"inputs": VERTICAL_STROKE_PNG, "parameters": {"top_k": 3}}}},
    },
}


@router.post(
    "/labels",
    **image_call(
        "/labels",
        CountError,
        model="Labels",
        example=_ANSWER,
        description="The most probable digits as labels, best first",
        other_media_types={},
        bodies=_BODIES,
    ),
    summary="Label an image as Hugging Face does",
    description=(
        "One image: a file with its own Content-Type, or in JSON as `inputs` in Base64 with `parameters`. It answers "
        "a list of labels with scores, as the task `image-classification` of Hugging Face does, so that "
        '`InferenceClient(model="http://localhost:8000/labels?fit=mnist").image_classification("digit.png")` works. '
        "`POST /predict?as=labels` is the same call."
    ),
)
async def label(
    request: Request,
    inference: InferenceDep,
    fit: FitMode = "strict",
    none: Annotated[NonePolicy, Query(description="`refuse`: answer 422 if the image shows no digit")] = "answer",
) -> Response:
    work = inference.label(await request.body(), request.headers.get("content-type", ""), fit=fit, none=none)
    return (await while_connected(request.receive, work)).to_response()
