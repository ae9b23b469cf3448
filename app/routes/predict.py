"""POST /predict: the digits on images."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.admission.client_limits import client_of
from app.api_route import ApiRoute
from app.bodies.accept import prefers_over_json
from app.dependencies import FeedbackDep, FitMode, InferenceDep
from app.errors import FeedbackOffError, FieldError
from app.openapi import image_call
from app.serving.client_presence import while_connected
from app.serving.inference import NPY, NonePolicy
from inkling.vision.image_files import FORMATS

router = APIRouter(route_class=ApiRoute, tags=["predict"])

_ANSWER = {
    "version": 1,
    "predictions": [
        {
            "digit": 7,
            "confidence": 0.998,
            "probabilities": [0.0, 0.0, 0.001, 0.001, 0.0, 0.0, 0.0, 0.998, 0.0, 0.0],
            "is_digit": True,
            "digit_score": 0.99,
        }
    ],
}


@router.post(
    "/predict",
    **image_call(
        "/predict",
        FeedbackOffError,
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
        "`is_digit` is false for a letter, a scribble or another picture without a digit; with `none=refuse` such an "
        "image is answered 422. "
        "`Accept: application/x-npy` returns only the probabilities, as float32 (n, 10). "
        "`as=labels`, for Hugging Face's clients, takes and answers what /labels does. "
        "A body may have `Content-Encoding: gzip` or `deflate`."
    ),
)
async def predict(
    *,
    request: Request,
    inference: InferenceDep,
    feedback: FeedbackDep,
    fit: FitMode = "strict",
    return_image: Annotated[
        bool, Query(description="with fit=mnist: also return the 28x28 images that the network read")
    ] = False,
    none: Annotated[
        NonePolicy,
        Query(description="`refuse`: answer 422 if an image shows no digit; `answer`: the digit, and is_digit false"),
    ] = "answer",
    remember: Annotated[
        bool,
        Query(
            description="keep the images for an hour, with a `prediction_id` each, so that /feedback can correct them"
        ),
    ] = False,
    answer_as: Annotated[  # documented at /labels: here it would make the type of every client's answer a union
        Literal["predictions", "labels"], Query(alias="as", include_in_schema=False)
    ] = "predictions",
) -> Response:
    if return_image and (fit == "strict" or answer_as == "labels"):
        why = "as=labels answers no image" if answer_as == "labels" else "with fit=strict it reads the images as sent"
        raise FieldError(f"return_image=true needs fit=mnist, without as=labels: {why}")
    content_type, accept = request.headers.get("content-type", ""), request.headers.get("accept", "")
    if remember and (answer_as == "labels" or prefers_over_json(accept, NPY)):
        raise FieldError("remember=true answers JSON with a prediction_id each, without as=labels and without .npy")
    body = await request.body()
    if remember:
        client = client_of(request.scope)
        work = feedback.remember(client, body, content_type, accept, fit=fit, return_image=return_image, none=none)
        return (await while_connected(request.receive, work)).to_response()
    if answer_as == "labels":
        work = inference.label(body, content_type, fit=fit, none=none)
        return (await while_connected(request.receive, work)).to_response()
    if fit == "mnist":
        work = inference.predict_normalized(body, content_type, accept, return_image=return_image, none=none)
        return (await while_connected(request.receive, work)).to_response()
    answer = inference.predict_at_once(body, content_type, accept) if none == "answer" else None
    if answer is None:
        work = inference.predict_strict(body, content_type, accept, none=none)
        answer = await while_connected(request.receive, work)
    return answer.to_response()
