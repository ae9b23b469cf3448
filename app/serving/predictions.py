"""Images in a request's body -> the answer of POST /predict, in bytes."""

import dataclasses
import io
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from app.bodies.images import read_images
from app.bodies.pictures import data_uri, read_pictures
from app.dependencies import Services
from app.observability.metrics import quality
from inkling.network.classifier import Classifier
from inkling.vision.normalize import Normalized, normalize_all

NPY = "application/x-npy"
INLINE_BODY_BYTES = 64 << 10
"""A body up to this size is read in less time than handing it to a thread takes."""


class Answer(NamedTuple):
    content: bytes
    headers: list[tuple[bytes, bytes]]
    """As ASGI takes them: Starlette's Response would make them of strings again, for 3 us a request."""


def read_strict(body: bytes, content_type: str, accept: str, services: Services) -> Answer:
    """Read images of 28x28 pixels.

    Raises:
        InputError: as `app.images.read_images`; or no version is loaded.
    """
    started = time.perf_counter()
    images = read_images(body, content_type, services.limits)
    return _read_digits(images, (), started, accept, services)


def read_any(body: bytes, content_type: str, accept: str, services: Services, return_image: bool) -> Answer:
    """Read pictures of any size, normalized first.

    Raises:
        InputError: as `app.pictures.read_pictures` and `app.normalize.normalize`; or no version is loaded.
    """
    started = time.perf_counter()
    normalized = normalize_all(read_pictures(body, content_type, services.limits))
    reports = [_report(item, return_image) for item in normalized]
    return _read_digits(np.stack([item.pixels for item in normalized]), reports, started, accept, services)


def _report(normalized: Normalized, return_image: bool) -> dict[str, Any]:
    image = {"image": data_uri(normalized.pixels)} if return_image else {}
    return {**dataclasses.asdict(normalized.report), **image}


def _read_digits(
    images: NDArray[np.uint8], reports: Sequence[dict[str, Any]], started: float, accept: str, services: Services
) -> Answer:
    """Answer what is on images (n, 28, 28); `reports`, one an image or none at all, tell how they were normalized."""
    classifier = services.serving.classifier
    decoded = time.perf_counter()
    probabilities = classifier.probabilities(images)
    ended = time.perf_counter()
    services.metrics.count_images(len(images))
    wants_npy = bool(accept) and quality(accept, NPY) > quality(accept, "application/json")
    content = _npy(probabilities) if wants_npy else _json(probabilities, classifier, reports)
    timing = f"decode;dur={(decoded - started) * 1e3:.3f}, model;dur={(ended - decoded) * 1e3:.3f}"
    return Answer(
        content,
        [
            (b"x-model-version", b"%d" % classifier.version),
            (b"server-timing", timing.encode()),
            (b"cache-control", b"no-store"),
            (b"content-length", b"%d" % len(content)),
            (b"content-type", NPY.encode() if wants_npy else b"application/json"),
        ],
    )


def _json(probabilities: NDArray[np.float32], classifier: Classifier, reports: Sequence[dict[str, Any]]) -> bytes:
    digits = probabilities.argmax(axis=1).tolist()
    predictions: list[dict[str, Any]] = [
        {"digit": digit, "confidence": row[digit], "probabilities": row}
        for digit, row in zip(digits, probabilities, strict=True)
    ]
    for prediction, report in zip(predictions, reports, strict=False):  # none with fit=strict
        prediction["normalized"] = report
    return orjson.dumps({"version": classifier.version, "predictions": predictions}, option=orjson.OPT_SERIALIZE_NUMPY)


def _npy(probabilities: NDArray[np.float32]) -> bytes:
    file = io.BytesIO()
    np.save(file, probabilities, allow_pickle=False)
    return file.getvalue()
