"""Scores for the protocols of other servers: pixels or image files in, the probabilities of /predict out."""

from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass
from typing import TypeVar

from anyio.to_thread import run_sync

from app.bodies.images import undecoded_files
from app.serving.inference import INLINE_IMAGES, Inference, require_normalizing
from app.serving.numbered_versions import NumberedVersions
from inkling.digit import SIDE, Images
from inkling.predictor import Fit, Predictions
from inkling.tracing import TRACING

T = TypeVar("T", bound=Sized)


@dataclass(frozen=True)
class Scoring:
    """Answers all protocols, with one registry and the limits of /predict."""

    inference: Inference
    versions: NumberedVersions

    async def score_pixels(self, pixels: Images, protocol: str, version: int | None = None) -> Predictions:
        """Read images (n, 784) or (n, 28, 28), 0 background to 255 foreground, n at least 1, as they are.

        Args:
            pixels: the images.
            protocol: the name under which they are counted.
            version: of the network; None: the one that is served.

        Raises:
            TooLargeError: too many images.
            UnknownVersionError: there is no such version.
            UnavailableError: it is not loaded.
        """
        inference = self.inference
        inference.limits.check_count(len(pixels))
        predictor = await self.versions.predictor(version)
        images = pixels.reshape(-1, SIDE, SIDE)
        return await self._predict(predictor.predict_strict, images, protocol)

    async def score_files(
        self, files: Sequence[bytes], protocol: str, *, fit: Fit = "strict", version: int | None = None
    ) -> Predictions:
        """Read image files, at least one; see `score_pixels`.

        Raises:
            InputError: a file is no image, or not 28x28 with fit="strict", or shows no single digit with "mnist"; there
                are too many; or the decoders are overloaded.
            UnknownVersionError, UnavailableError: as `score_pixels`.
        """
        inference = self.inference
        inference.limits.check_count(len(files))
        predictor = await self.versions.predictor(version)
        pictures = undecoded_files(files, fit, inference.limits)
        if fit == "strict":
            with TRACING.span("decode"):
                images = await inference.decode_images(pictures)
            return await self._predict(predictor.predict_strict, images, protocol)
        require_normalizing(predictor)
        with TRACING.span("decode"):
            decoded = await inference.decoders.run("mnist", pictures)
        return await self._predict(predictor.predict_readings, decoded.normalized, protocol)

    async def _predict(self, predict: Callable[[T], Predictions], images: T, protocol: str) -> Predictions:
        """Return what a method of a predictor says of images; of many in a thread."""
        with TRACING.span("model"):
            if len(images) <= INLINE_IMAGES:
                predictions = predict(images)
            else:
                predictions = await run_sync(predict, images, limiter=self.inference.threads)
        self.inference.metrics.count_predictions(predictions, protocol)
        return predictions
