"""POST /predict: images in, digits out."""

import io
import time
from typing import Annotated, Literal

import numpy as np
import orjson
from fastapi import APIRouter, Query, Request
from numpy.typing import NDArray
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.classifier import Classifier
from app.errors import (
    BodyError,
    FieldError,
    ImageError,
    MediaTypeError,
    NotImplementedYetError,
    TooLargeError,
    UnavailableError,
)
from app.images import FORMATS, read_images
from app.metrics import quality
from app.openapi import ANSWER_HEADERS, BINARY, IMAGE_BODIES, problems
from app.services import Injected, Services

router = APIRouter(tags=["predict"])

NPY = "application/x-npy"
INLINE_BODY_BYTES = 64 << 10
"""A body up to this size is read in less time than handing it to a thread takes."""

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
            NotImplementedYetError,
            UnavailableError,
        ),
    },
    summary="Read the digits on images",
    description=(
        "One or more images of one digit each: "
        f"a form with parts named `file`, one image file ({', '.join(FORMATS)}), JSON, raw bytes, or a `.npy` array. "
        "`Accept: application/x-npy` answers the probabilities alone, as float32 (n, 10)."
    ),
)
async def predict(
    request: Request,
    services: Injected,
    fit: Annotated[
        Literal["strict", "mnist"],
        Query(description="`strict`: 28x28, light ink on a dark ground; `mnist`: any picture of a digit (planned)"),
    ] = "strict",
) -> Response:
    if fit == "mnist":
        raise NotImplementedYetError(
            "fit=mnist is not implemented yet; send 28x28 pixels, light ink on a dark ground, with fit=strict"
        )
    body = await request.body()
    if len(body) <= INLINE_BODY_BYTES:
        return _answer(body, request, services)
    return await run_in_threadpool(_answer, body, request, services)


def _answer(body: bytes, request: Request, services: Services) -> Response:
    started = time.perf_counter()
    classifier = services.serving.classifier
    images = read_images(body, request.headers.get("content-type", ""), services.limits)
    decoded = time.perf_counter()
    probabilities = classifier.probabilities(images)
    ended = time.perf_counter()
    services.metrics.count_images(len(images))
    accept = request.headers.get("accept", "")
    wants_npy = quality(accept, NPY) > quality(accept, "application/json")
    return Response(
        _npy(probabilities) if wants_npy else _json(probabilities, classifier),
        media_type=NPY if wants_npy else "application/json",
        headers={
            "X-Model-Version": str(classifier.version),
            "Server-Timing": f"decode;dur={(decoded - started) * 1e3:.3f}, model;dur={(ended - decoded) * 1e3:.3f}",
            "Cache-Control": "no-store",
        },
    )


def _json(probabilities: NDArray[np.float32], classifier: Classifier) -> bytes:
    digits = probabilities.argmax(axis=1).tolist()
    predictions = [
        {"digit": digit, "confidence": row[digit], "probabilities": row}
        for digit, row in zip(digits, probabilities, strict=True)
    ]
    return orjson.dumps({"version": classifier.version, "predictions": predictions}, option=orjson.OPT_SERIALIZE_NUMPY)


def _npy(probabilities: NDArray[np.float32]) -> bytes:
    file = io.BytesIO()
    np.save(file, probabilities, allow_pickle=False)
    return file.getvalue()
