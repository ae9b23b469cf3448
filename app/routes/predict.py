"""POST /predict: the digits on images."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.api_route import ApiRoute
from app.dependencies import FitMode, InferenceDep
from app.errors import FieldError
from app.openapi import image_call
from app.serving.client_presence import while_connected
from app.serving.inference import NPY
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
        "`Accept: application/x-npy` returns only the probabilities, as float32 (n, 10). "
        "A body may have `Content-Encoding: gzip` or `deflate`."
    ),
)
async def predict(
    *,
    request: Request,
    inference: InferenceDep,
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
        work = inference.predict_normalized(body, content_type, accept, return_image=return_image)
        return (await while_connected(request.receive, work)).to_response()
    answer = inference.predict_at_once(body, content_type, accept)
    if answer is None:
        answer = await while_connected(request.receive, inference.predict_strict(body, content_type, accept))
    return answer.to_response()
