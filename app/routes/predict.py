"""POST /predict: the digits on images."""

from functools import partial
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.api_route import ApiRoute
from app.dependencies import FitMode, InferenceDep, NormalizingDep
from app.errors import FieldError
from app.openapi import image_call
from app.serving.inference import INLINE_BODY_BYTES, NPY
from inkling.vision.image_files import FORMATS

router = APIRouter(route_class=ApiRoute, tags=["predict"])

_ANSWER = {
    "version": 1,
    "predictions": [
        {
            "digit": 7,
            "confidence": 0.998,
            "probabilities": [0.0, 0.0, 0.001, 0.001, 0.0, 0.0, 0.0, 0.998, 0.0, 0.0],
        }
    ],
}


@router.post(
    "/predict",
    **image_call(
        "/predict",
        model="Predictions",
        example=_ANSWER,
        description="The digits, in the order of the images",
        other_media_types={NPY: "probabilities, float32 (n, 10)"},
    ),
    summary="Read the digits on images",
    description=(
        "One or more images of one digit each: "
        f"a form with parts named `file`, one image file ({', '.join(FORMATS)}), JSON, raw bytes, or a `.npy` array. "
        "`fit=mnist` accepts pictures of any size and polarity, and answers 422 where it finds no single digit. "
        "`Accept: application/x-npy` returns only the probabilities, as float32 (n, 10)."
    ),
)
async def predict(
    *,
    request: Request,
    inference: InferenceDep,
    normalizing: NormalizingDep,
    fit: FitMode = "strict",
    return_image: Annotated[
        bool, Query(description="with fit=mnist: also return the 28x28 images that the network read")
    ] = False,
) -> Response:
    if return_image and fit == "strict":
        raise FieldError("return_image=true needs fit=mnist: with fit=strict the network reads the images as sent")
    content_type, accept = request.headers.get("content-type", ""), request.headers.get("accept", "")
    body = await request.body()
    if fit == "mnist":
        normalized = partial(inference.predict_normalized, body, content_type, accept, return_image=return_image)
        answer = await run_sync(normalized, limiter=normalizing)
    elif len(body) <= INLINE_BODY_BYTES:
        answer = inference.predict_strict(body, content_type, accept)
    else:
        answer = await run_in_threadpool(inference.predict_strict, body, content_type, accept)
    return answer.to_response()
