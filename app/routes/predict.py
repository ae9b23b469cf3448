"""POST /predict: images in, digits out."""

import dataclasses
import io
import time
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
import orjson
from anyio.to_thread import run_sync
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
    NoDigitError,
    TooLargeError,
    UnavailableError,
)
from app.images import FORMATS, read_images
from app.metrics import quality
from app.normalise import Normalised, normalise
from app.openapi import ANSWER_HEADERS, BINARY, IMAGE_BODIES, problems
from app.pictures import data_uri, read_pictures
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
    body = await request.body()
    if fit == "mnist":
        return await run_sync(_answer_any, body, request, services, return_image, limiter=services.normalising)
    if len(body) <= INLINE_BODY_BYTES:
        return _answer(body, request, services)
    return await run_in_threadpool(_answer, body, request, services)


def _answer(body: bytes, request: Request, services: Services) -> Response:
    started = time.perf_counter()
    images = read_images(body, request.headers.get("content-type", ""), services.limits)
    return _read_digits(images, (), started, request, services)


def _answer_any(body: bytes, request: Request, services: Services, return_image: bool) -> Response:
    started = time.perf_counter()
    normalised: list[Normalised] = []
    for i, picture in enumerate(read_pictures(body, request.headers.get("content-type", ""), services.limits), 1):
        try:
            normalised.append(normalise(picture))
        except NoDigitError as error:
            raise NoDigitError(f"image {i}: {error}") from error
    reports = [_report(item, return_image) for item in normalised]
    return _read_digits(np.stack([item.pixels for item in normalised]), reports, started, request, services)


def _report(normalised: Normalised, return_image: bool) -> dict[str, Any]:
    image = {"image": data_uri(normalised.pixels)} if return_image else {}
    return {**dataclasses.asdict(normalised.report), **image}


def _read_digits(
    images: NDArray[np.uint8],
    reports: Sequence[dict[str, Any]],
    started: float,
    request: Request,
    services: Services,
) -> Response:
    """Answer what is on images (n, 28, 28); `reports`, one an image or none at all, tell how they were normalised."""
    classifier = services.serving.classifier
    decoded = time.perf_counter()
    probabilities = classifier.probabilities(images)
    ended = time.perf_counter()
    services.metrics.count_images(len(images))
    accept = request.headers.get("accept", "")
    wants_npy = quality(accept, NPY) > quality(accept, "application/json")
    return Response(
        _npy(probabilities) if wants_npy else _json(probabilities, classifier, reports),
        media_type=NPY if wants_npy else "application/json",
        headers={
            "X-Model-Version": str(classifier.version),
            "Server-Timing": f"decode;dur={(decoded - started) * 1e3:.3f}, model;dur={(ended - decoded) * 1e3:.3f}",
            "Cache-Control": "no-store",
        },
    )


def _json(probabilities: NDArray[np.float32], classifier: Classifier, reports: Sequence[dict[str, Any]]) -> bytes:
    digits = probabilities.argmax(axis=1).tolist()
    predictions: list[dict[str, Any]] = [
        {"digit": digit, "confidence": row[digit], "probabilities": row}
        for digit, row in zip(digits, probabilities, strict=True)
    ]
    for prediction, report in zip(predictions, reports, strict=False):  # none with fit=strict
        prediction["normalised"] = report
    return orjson.dumps({"version": classifier.version, "predictions": predictions}, option=orjson.OPT_SERIALIZE_NUMPY)


def _npy(probabilities: NDArray[np.float32]) -> bytes:
    file = io.BytesIO()
    np.save(file, probabilities, allow_pickle=False)
    return file.getvalue()
