"""Inference over HTTP: bodies with images in, the answers of /predict, /read and /explain out, as bytes and headers."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.responses import Response

from app.bodies.accept import prefers_over_json
from app.bodies.images import read_images, stack, undecoded_images, undecoded_pictures
from app.bodies.labels_request import read_labels_request
from app.bodies.limits import UploadLimits
from app.decoders.pool import DecoderPool
from app.decoders.work import Decoded, Picture, PictureFile
from app.errors import CountError, FieldError
from app.observability.metrics import Metrics
from app.serving.current_version import CurrentVersion
from app.serving.numbers_answer import numbers_json
from app.serving.predictions_answer import explanation_json, heat_map, labels_json, predictions_json, predictions_npy
from inkling.digit import DIGIT_NAMES, SIDE, Gray, Images
from inkling.errors import NoDigitError
from inkling.network.digit_probe import DIGIT_THRESHOLD
from inkling.predictor import Fit, Predictions, Predictor
from inkling.tracing import TRACING
from inkling.vision.fast_png import plain_png_pixels
from inkling.vision.image_files import decode_image

NPY = "application/x-npy"
PNG = "image/png"
JSON = "application/json"
INLINE_BODY_BYTES = 64 << 10
"""A body up to this size is read in less time than handing it to a thread takes."""
INLINE_FILE_BYTES = 8 << 10
"""Files that are not the plainest are decoded in the event loop in bodies up to this size: some 50 files, in 5 ms."""
INLINE_IMAGES = 64
"""Up to so many images are classified in the event loop: 0.5 ms."""

T = TypeVar("T")

NonePolicy = Literal["answer", "refuse"]
"""What an image that shows no digit gets: an answer with `is_digit` false, or a 422."""


class Answer(NamedTuple):
    content: bytes
    headers: list[tuple[bytes, bytes]]
    """As ASGI takes them: Starlette's Response would convert them from strings, for 3 us per request."""

    def to_response(self) -> Response:
        response = Response(self.content)
        response.raw_headers = self.headers
        return response


@dataclass(frozen=True)
class Inference:
    """Answers requests that carry images: a body and its headers in, bytes and headers out."""

    current_version: CurrentVersion
    limits: UploadLimits
    metrics: Metrics
    decoders: DecoderPool
    threads: CapacityLimiter
    """Limits the threads that parse large bodies and explain: probes and metrics have threads of their own."""
    digit_threshold: float = DIGIT_THRESHOLD
    """The score below which an image is no digit."""

    def predict_at_once(
        self, body: bytes, content_type: str, accept: str, *, plain_only: bool = False
    ) -> Answer | None:
        """Read the digits on images of 28x28 pixels if that takes no time; None: `predict_strict` is needed.

        Args:
            body: of the request.
            content_type: the header.
            accept: the header.
            plain_only: whether of files only the plainest are read.

        Raises:
            InklingError: as `read_images`; or no version is loaded.
        """
        if len(body) > INLINE_BODY_BYTES:
            return None
        started = time.perf_counter()
        decode = _decode_plain if plain_only or len(body) > INLINE_FILE_BYTES else _decode_small
        try:
            images = read_images(body, content_type, self.limits, decode)
        except _TakesTimeError:
            return None
        if TRACING.is_on:
            TRACING.record("decode", started, time.perf_counter())
        return self.answer(self.current_version.predictor.predict_strict(images), accept, started)

    async def predict_strict(
        self, body: bytes, content_type: str, accept: str, *, none: NonePolicy = "answer"
    ) -> Answer:
        """Read the digits on images of 28x28 pixels.

        Raises:
            InklingError: as `read_images`; or no version is loaded, or the decoders are overloaded.
            NoDigitError: with none="refuse", an image shows no digit.
        """
        started = time.perf_counter()
        images = await self._strict_images(body, content_type)
        return await self._in_thread(self._predict_strict, images, accept, started, none)

    async def predict_normalized(
        self, body: bytes, content_type: str, accept: str, *, return_image: bool, none: NonePolicy = "answer"
    ) -> Answer:
        """Read the digits on pictures of any size, normalized first.

        Raises:
            InklingError: as `undecoded_pictures` and `normalize`; or no version is loaded, or the decoders are
                overloaded.
            NoDigitError: with none="refuse", an image shows no digit.
        """
        started = time.perf_counter()
        require_normalizing(self.current_version.predictor)
        with TRACING.span("decode"):
            pictures = await self._parse(undecoded_pictures, body, content_type)
            decoded = await self.decoders.run("mnist", pictures)
        if len(pictures) > INLINE_IMAGES:
            return await self._in_thread(self._predict_decoded, decoded, accept, started, return_image, none)
        return self._predict_decoded(decoded, accept, started, return_image, none)

    async def predict(self, body: bytes, content_type: str, fit: Fit) -> Predictions:
        """Return the predictions for a body, which are not answered yet.

        Raises:
            InklingError: as `predict_strict` and `predict_normalized`.
        """
        decoded = await self._decode(body, content_type, fit)
        return await self._in_thread(_predict, self.current_version.predictor, decoded)

    async def read(self, body: bytes, content_type: str, *, return_image: bool) -> Answer:
        """Read the numbers on pictures of any size.

        Raises:
            InklingError: as `undecoded_pictures` and `find_page`; or no version is loaded, or the decoders are
                overloaded.
        """
        started = time.perf_counter()
        learned = self.current_version.predictor.learned
        if not learned.shows_digits:
            raise FieldError(f"the served version learned {learned}: /read reads numbers, which are made of digits")
        with TRACING.span("decode"):
            pictures = await self._parse(undecoded_pictures, body, content_type)
            decoded = await self.decoders.run("numbers", pictures)
        if sum(len(page.images) for page in decoded.pages) > INLINE_IMAGES:
            return await self._in_thread(self._read_pages, decoded, started, return_image)
        return self._read_pages(decoded, started, return_image)

    async def explain(self, body: bytes, content_type: str, accept: str, *, fit: Fit, digit: int | None) -> Answer:
        """Explain the reading of one image; of `digit`, or of the most probable one.

        Raises:
            CountError: the body does not hold exactly one image.
            InklingError: as `predict_strict` and `predict_normalized`.
        """
        started = time.perf_counter()
        decoded = await self._decode(body, content_type, fit, _check_count)
        # 0.6 ms as numbers, several times that in views, 14 ms as a picture: too long for the event loop
        return await self._in_thread(self._explain, decoded, accept, digit, started)

    async def label(self, body: bytes, content_type: str, *, fit: Fit, none: NonePolicy = "answer") -> Answer:
        """Answer the most probable digits of one image as labels with scores.

        Raises:
            CountError: the body does not hold exactly one image.
            InklingError: as `read_labels_request`, `predict_strict` and `predict_normalized`.
            NoDigitError: with none="refuse", the image shows no digit.
        """
        started = time.perf_counter()
        request = await self._parse(read_labels_request, body, content_type)
        decoded = await self._decode(request.body, request.content_type, fit, _check_count)
        predictions = _predict(self.current_version.predictor, decoded)
        if none == "refuse":
            check_digits(predictions, self.digit_threshold)
        decode_s = time.perf_counter() - started - predictions.model_s
        self.metrics.count_predictions(predictions)
        content = labels_json(predictions.probabilities[0], request.max_labels, predictions.classes or DIGIT_NAMES)
        return _with_headers(
            content, JSON, predictions.version, started=started, decode_s=decode_s, model_s=predictions.model_s
        )

    async def _decode(
        self, body: bytes, content_type: str, fit: Fit, check_count: Callable[[int], None] = lambda count: None
    ) -> Decoded:
        if fit == "strict":
            return Decoded(await self._strict_images(body, content_type, check_count), ())
        require_normalizing(self.current_version.predictor)
        with TRACING.span("decode"):
            pictures = await self._parse(undecoded_pictures, body, content_type)
            check_count(len(pictures))
            return await self.decoders.run("mnist", pictures)

    async def _strict_images(
        self, body: bytes, content_type: str, check_count: Callable[[int], None] = lambda count: None
    ) -> Images:
        with TRACING.span("decode"):
            images = await self._parse(undecoded_images, body, content_type)
            check_count(len(images))
            return stack(images) if isinstance(images, np.ndarray) else await self.decode_images(images)

    async def decode_images(self, images: list[Picture]) -> Images:
        """Return images of 28x28 pixels, decoded where they are files, as one array (n, 28, 28).

        Raises:
            InputError: a file is no image, or not 28x28.
            OverloadedError: too many wait already.
        """
        files = [image for image in images if isinstance(image, PictureFile)]
        if files:
            decoded = iter((await self.decoders.run("strict", files)).images)
            images = [next(decoded) if isinstance(image, PictureFile) else image for image in images]
        return stack([image for image in images if not isinstance(image, PictureFile)])

    async def _parse(self, parse: Callable[[bytes, str, UploadLimits], T], body: bytes, content_type: str) -> T:
        """Return what `parse` returns for a body; of a large one in a thread."""
        if len(body) <= INLINE_BODY_BYTES:
            return parse(body, content_type, self.limits)
        return await self._in_thread(parse, body, content_type, self.limits)

    async def _in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        return await run_sync(function, *arguments, limiter=self.threads)

    def _predict_strict(self, images: Images, accept: str, started: float, none: NonePolicy) -> Answer:
        predictions = self.current_version.predictor.predict_strict(images)
        if none == "refuse":
            check_digits(predictions, self.digit_threshold)
        return self.answer(predictions, accept, started)

    def _predict_decoded(
        self,
        decoded: Decoded,
        accept: str,
        started: float,
        return_image: bool,  # noqa: FBT001  a thread takes no keywords
        none: NonePolicy,
    ) -> Answer:
        predictions = self.current_version.predictor.predict_readings(decoded.normalized)
        if none == "refuse":
            check_digits(predictions, self.digit_threshold)
        return self.answer(predictions, accept, started, return_image=return_image)

    def _read_pages(self, decoded: Decoded, started: float, return_image: bool) -> Answer:  # noqa: FBT001
        readings = self.current_version.predictor.read_pages(decoded.pages)
        decode_s = time.perf_counter() - started - readings.model_s
        self.metrics.count_images(len(readings.pictures))
        content = numbers_json(readings, self.digit_threshold, return_image=return_image)
        return _with_headers(
            content, JSON, readings.version, started=started, decode_s=decode_s, model_s=readings.model_s
        )

    def _explain(self, decoded: Decoded, accept: str, digit: int | None, started: float) -> Answer:
        predictor = self.current_version.predictor
        predictions = _predict(predictor, decoded)
        decode_s = time.perf_counter() - started - predictions.model_s
        image, probabilities = predictions.images[0], predictions.probabilities[0]
        explanation = predictor.explain(image, int(probabilities.argmax()) if digit is None else digit)
        model_s = time.perf_counter() - started - decode_s
        self.metrics.count_predictions(predictions)
        if prefers_over_json(accept, PNG):
            content, media_type = heat_map(image, explanation, probabilities), PNG
        else:
            content, media_type = explanation_json(explanation, predictions, self.digit_threshold), JSON
        return _with_headers(
            content, media_type, predictor.version, started=started, decode_s=decode_s, model_s=model_s
        )

    def answer(
        self,
        predictions: Predictions,
        accept: str,
        started: float,
        *,
        return_image: bool = False,
        prediction_ids: Sequence[str] = (),
    ) -> Answer:
        """Return the answer of /predict, and count its images.

        Args:
            predictions: of all images.
            accept: the header.
            started: when the request came, by `time.perf_counter`.
            return_image: whether the answer has the normalized images.
            prediction_ids: by which the predictions are remembered; empty: they are not.
        """
        decode_s = time.perf_counter() - started - predictions.model_s
        self.metrics.count_predictions(predictions)
        if prefers_over_json(accept, NPY):
            content, media_type = predictions_npy(predictions.probabilities), NPY
        else:
            content, media_type = (
                predictions_json(
                    predictions, self.digit_threshold, return_image=return_image, prediction_ids=prediction_ids
                ),
                JSON,
            )
        return _with_headers(
            content, media_type, predictions.version, started=started, decode_s=decode_s, model_s=predictions.model_s
        )


class _TakesTimeError(Exception):
    """A file is not so plain that it can be decoded in the event loop."""


def _decode_small(content: bytes, max_pixels: int, name: str, **limits: int) -> Gray:
    """Decode a small file, but not one of a video codec, which decoder processes alone open."""
    if content[4:8] == b"ftyp":
        raise _TakesTimeError
    return decode_image(content, max_pixels, name, **limits)


def _decode_plain(content: bytes, max_pixels: int, name: str, **limits: int) -> Gray:
    plain = plain_png_pixels(content)
    if plain is None or len(plain) > max_pixels:
        raise _TakesTimeError
    return np.frombuffer(plain, np.uint8).reshape(SIDE, SIDE)


def _with_headers(
    content: bytes, media_type: str, version: int, *, started: float, decode_s: float, model_s: float
) -> Answer:
    if TRACING.is_on:
        decoded = started + decode_s
        TRACING.record("model", decoded, decoded + model_s)
        TRACING.record("encode", decoded + model_s, time.perf_counter())
    return Answer(
        content,
        [
            (b"x-model-version", b"%d" % version),
            (b"server-timing", b"decode;dur=%.3f, model;dur=%.3f" % (decode_s * 1e3, model_s * 1e3)),
            (b"cache-control", b"no-store"),
            (b"content-length", b"%d" % len(content)),
            (b"content-type", media_type.encode()),
        ],
    )


def _predict(predictor: Predictor, decoded: Decoded) -> Predictions:
    if decoded.normalized:
        return predictor.predict_readings(decoded.normalized)
    return predictor.predict_strict(decoded.images)


def _check_count(count: int) -> None:
    if count != 1:
        raise CountError(f"the body holds {count} images, expected 1; send them one by one")


def require_normalizing(predictor: Predictor) -> None:
    """Raise FieldError if fit=mnist does not suit the images that a version learned."""
    if problem := predictor.fit_problem:
        raise FieldError(problem)


def check_digits(predictions: Predictions, threshold: float) -> None:
    """Raise NoDigitError if an image shows no digit, and FieldError if the version cannot say."""
    are_digits = predictions.are_digits(threshold)
    if are_digits is None or predictions.digit_scores is None:
        reason = "it learned other classes" if predictions.classes else "an earlier release trained it"
        raise FieldError(
            f"none=refuse needs a version that knows digits from other pictures; version {predictions.version} has no "
            f"digit probe, because {reason}: leave none=refuse out, or train a new version"
        )
    if False in are_digits:
        first = are_digits.index(False)
        raise NoDigitError(
            f"image {first + 1} shows no digit: its digit_score is {predictions.digit_scores[first]:.4f}, below the "
            f"threshold of {threshold:g}; without none=refuse it is answered with is_digit false"
        )
