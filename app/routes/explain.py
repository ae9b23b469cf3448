"""POST /explain: the reading of an image explained, as numbers or as a picture."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.api_route import ApiRoute
from app.dependencies import FitMode, InferenceDep
from app.errors import CountError
from app.openapi import image_call
from app.serving.client_presence import while_connected
from app.serving.inference import PNG

router = APIRouter(route_class=ApiRoute, tags=["predict"])

_ANSWER: dict[str, Any] = {
    "version": 1,
    "digit": 7,
    "prediction": {
        "digit": 7,
        "confidence": 0.998,
        "probabilities": [0.0, 0.0, 0.001, 0.001, 0.0, 0.0, 0.0, 0.998, 0.0, 0.0],
        "is_digit": True,
        "digit_score": 0.99,
    },
    "logit": 9.5,
    "baseline_logit": 3.5,
    "contributions": [[0.0] * 28] * 7 + [[0.0] * 8 + [0.5] * 12 + [0.0] * 8] + [[0.0] * 28] * 20,
}


@router.post(
    "/explain",
    **image_call(
        "/explain",
        CountError,
        model="Explanation",
        example=_ANSWER,
        description="The contribution of every pixel to the digit's logit",
        other_media_types={PNG: "the heat map: red pixels support the digit, blue ones oppose it"},
    ),
    summary="Explain the reading of an image",
    description=(
        "One image, in any body that /predict accepts. Returns the contribution of every pixel to the digit's logit, "
        "in nats, by integrated gradients from the blank image (https://arxiv.org/abs/1703.01365). The contributions "
        "add up to `logit - baseline_logit`. The contributions of one digit minus those of a second one add up to the "
        "change of the log of their odds: why 7 and not 9. `Accept: image/png` returns them as a heat map."
    ),
)
async def explain(
    request: Request,
    inference: InferenceDep,
    digit: Annotated[
        int | None, Query(ge=0, le=9, description="the digit to explain; default: the most probable one")
    ] = None,
    fit: FitMode = "strict",
) -> Response:
    content_type, accept = request.headers.get("content-type", ""), request.headers.get("accept", "")
    work = inference.explain(await request.body(), content_type, accept, fit=fit, digit=digit)
    return (await while_connected(request.receive, work)).to_response()
