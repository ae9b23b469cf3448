"""POST /explain: why an image is read as it is, as numbers and as a picture."""

import io
import time
from itertools import islice
from typing import Annotated, Any, Literal

import numpy as np
import orjson
from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request
from numpy.typing import NDArray
from starlette.responses import Response

from app.bodies.images import read_images
from app.bodies.pictures import read_pictures
from app.dependencies import Injected, Services
from app.errors import BodyError, CountError, FieldError, MediaTypeError, UnavailableError
from app.observability.metrics import quality
from app.openapi import ANSWER_HEADERS, BINARY, IMAGE_BODIES, problems
from inkling.errors import ImageError, NoDigitError, TooLargeError
from inkling.network.attribution import Explanation, explain
from inkling.network.classifier import Classifier
from inkling.vision.normalize import normalize_all

router = APIRouter(tags=["predict"])

PNG = "image/png"

_ANSWER: dict[str, Any] = {
    "version": 1,
    "digit": 7,
    "prediction": {
        "digit": 7,
        "confidence": 0.998,
        "probabilities": [0.0, 0.0, 0.001, 0.001, 0.0, 0.0, 0.0, 0.998, 0.0, 0.0],
    },
    "logit": 9.5,
    "baseline_logit": 3.5,
    "contributions": [[0.0] * 28] * 7 + [[0.0] * 8 + [0.5] * 12 + [0.0] * 8] + [[0.0] * 28] * 20,
}


@router.post(
    "/explain",
    response_class=Response,
    openapi_extra={"requestBody": {"required": True, "content": IMAGE_BODIES}},
    responses={
        200: {
            "description": "What every pixel adds to the digit's logit",
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/Explanation"},
                    "example": _ANSWER,
                },
                PNG: {"schema": {**BINARY, "description": "the heat map: red ink speaks for the digit, blue against"}},
            },
            "headers": ANSWER_HEADERS,
        },
        **problems(
            BodyError,
            TooLargeError,
            MediaTypeError,
            ImageError,
            CountError,
            NoDigitError,
            FieldError,
            UnavailableError,
            instance="/explain",
        ),
    },
    summary="Explain the reading of an image",
    description=(
        "One image, in any body that /predict takes. Every pixel gets what it adds to the digit's logit, in nats, by "
        "integrated gradients from the blank image (https://arxiv.org/abs/1703.01365). The contributions add up to "
        "`logit - baseline_logit`; those of one digit less those of another, to what the ink does to the log of their "
        "odds: why 7 and not 9. `Accept: image/png` answers them as a heat map."
    ),
)
async def explain_image(
    request: Request,
    services: Injected,
    digit: Annotated[int | None, Query(ge=0, le=9, description="the digit to explain; default: the one read")] = None,
    fit: Annotated[
        Literal["strict", "mnist"],
        Query(description="`strict`: 28x28, light ink on a dark ground; `mnist`: any picture of a digit, as /predict"),
    ] = "strict",
) -> Response:
    body = await request.body()
    limiter = services.normalizing if fit == "mnist" else None  # 3 ms as numbers, 14 ms as a picture: not inline
    return await run_sync(_answer, body, digit, fit, request, services, limiter=limiter)


def _answer(body: bytes, digit: int | None, fit: str, request: Request, services: Services) -> Response:
    started = time.perf_counter()
    classifier = services.serving.classifier
    content_type = request.headers.get("content-type", "")
    if fit == "mnist":
        pictures = list(islice(read_pictures(body, content_type, services.limits), 2))
        _check_count(len(pictures), "at least ")
        images = np.stack([item.pixels for item in normalize_all(pictures)])
    else:
        images = read_images(body, content_type, services.limits)
        _check_count(len(images))
    decoded = time.perf_counter()
    (probabilities,) = classifier.probabilities(images)  # (10,)
    explanation = explain(classifier, images[0], int(probabilities.argmax()) if digit is None else digit)
    ended = time.perf_counter()
    services.metrics.count_images(1)
    accept = request.headers.get("accept", "")
    wants_png = quality(accept, PNG) > quality(accept, "application/json")
    return Response(
        _png(images[0], explanation, probabilities) if wants_png else _json(explanation, probabilities, classifier),
        media_type=PNG if wants_png else "application/json",
        headers={
            "X-Model-Version": str(classifier.version),
            "Server-Timing": f"decode;dur={(decoded - started) * 1e3:.3f}, model;dur={(ended - decoded) * 1e3:.3f}",
            "Cache-Control": "no-store",
        },
    )


def _check_count(count: int, bound: str = "") -> None:
    if count != 1:
        raise CountError(f"the body holds {bound}{count} images, expected 1; explain them one by one")


def _json(explanation: Explanation, probabilities: NDArray[np.float32], classifier: Classifier) -> bytes:
    digit = int(probabilities.argmax())
    return orjson.dumps(
        {
            "version": classifier.version,
            "digit": explanation.digit,
            "prediction": {"digit": digit, "confidence": probabilities[digit], "probabilities": probabilities},
            "logit": explanation.logit,
            "baseline_logit": explanation.baseline_logit,
            "contributions": explanation.contributions,
        },
        option=orjson.OPT_SERIALIZE_NUMPY,
    )


def _png(image: NDArray[np.uint8], explanation: Explanation, probabilities: NDArray[np.float32]) -> bytes:
    from inkling.plots.attribution import draw_heat_map  # noqa: PLC0415  fonts: 0.14 s that the server need not wait for

    file = io.BytesIO()
    draw_heat_map(image, explanation, probabilities).save(file, format="PNG")
    return file.getvalue()
