"""POST /predict: images in, digits out."""

from typing import Annotated, Literal

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.bodies.images import FORMATS
from app.dependencies import Injected
from app.errors import BodyError, FieldError, MediaTypeError, UnavailableError
from app.openapi import ANSWER_HEADERS, BINARY, IMAGE_BODIES, problems
from app.serving.predictions import INLINE_BODY_BYTES, NPY, read_any, read_strict
from inkling.errors import ImageError, NoDigitError, TooLargeError

router = APIRouter(tags=["predict"])

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
    response_class=Response,
    openapi_extra={"requestBody": {"required": True, "content": IMAGE_BODIES}},
    responses={
        200: {
            "description": "The digits, in the order of the images",
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/Predictions"},
                    "example": _ANSWER,
                },
                NPY: {"schema": {**BINARY, "description": "probabilities, float32 (n, 10)"}},
            },
            "headers": ANSWER_HEADERS,
        },
        **problems(
            BodyError,
            TooLargeError,
            MediaTypeError,
            ImageError,
            FieldError,
            NoDigitError,
            UnavailableError,
        ),
    },
    summary="Read the digits on images",
    description=(
        "One or more images of one digit each: "
        f"a form with parts named `file`, one image file ({', '.join(FORMATS)}), JSON, raw bytes, or a `.npy` array. "
        "`fit=mnist` takes pictures of any size and polarity, and answers 422 where it finds no single digit. "
        "`Accept: application/x-npy` answers the probabilities alone, as float32 (n, 10)."
    ),
)
async def predict(
    request: Request,
    services: Injected,
    fit: Annotated[
        Literal["strict", "mnist"],
        Query(
            description="`strict`: 28x28, light ink on a dark ground; "
            "`mnist`: any picture of one digit, made into what MNIST's makers would have made of it"
        ),
    ] = "strict",
    return_image: Annotated[
        bool, Query(description="with fit=mnist: answer the 28x28 pictures that the network read, too")
    ] = False,
) -> Response:
    if return_image and fit == "strict":
        raise FieldError("return_image=true needs fit=mnist: with fit=strict the network reads the images as sent")
    content_type, accept = request.headers.get("content-type", ""), request.headers.get("accept", "")
    body = await request.body()
    if fit == "mnist":
        limiter = services.normalizing
        answer = await run_sync(read_any, body, content_type, accept, services, return_image, limiter=limiter)
    elif len(body) <= INLINE_BODY_BYTES:
        answer = read_strict(body, content_type, accept, services)
    else:
        answer = await run_in_threadpool(read_strict, body, content_type, accept, services)
    response = Response(answer.content)
    response.raw_headers = answer.headers
    return response
