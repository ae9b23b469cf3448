"""Feedback over HTTP: predictions that are remembered, and the corrections of answers."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from sqlalchemy.exc import SQLAlchemyError

from app.admission.client_limits import ClientLimits
from app.errors import CountError, FeedbackOffError, FieldError, RateLimitedError
from app.serving.inference import Answer, Inference, NonePolicy, check_digits
from app.settings import Settings
from inkling.predictor import Fit, Predictions
from inkling.registry.records import Answered, Correction, FeedbackScore
from inkling.registry.registry import Registry

MAX_REMEMBERED = 100
"""Predictions of one request that are remembered: some 80 KB."""


@dataclass(frozen=True)
class Feedback:
    """Takes the corrections of answers, where the settings allow it."""

    settings: Settings
    registry: Registry
    inference: Inference
    rates: ClientLimits
    """Corrections per client."""
    remembered: ClientLimits
    """Remembered predictions per client."""
    threads: CapacityLimiter
    """Limits the threads that write to the registry."""

    @classmethod
    def from_settings(cls, settings: Settings, registry: Registry, inference: Inference) -> "Feedback":
        limit = settings.max_feedback_per_minute
        rates, remembered = (ClientLimits(per_minute=limit, burst=limit) for _ in range(2))
        return cls(settings, registry, inference, rates, remembered, CapacityLimiter(4))

    def require_on(self) -> None:
        """Raise FeedbackOffError unless the settings allow feedback."""
        if self.settings.feedback == "off":
            raise FeedbackOffError(
                "this server takes no feedback: INKLING_FEEDBACK is off; start it with INKLING_FEEDBACK=on, or with "
                "`key` to take corrections with the API key only"
            )

    def require_rate(self, client: str, count: int) -> None:
        """Count corrections of a client.

        Raises:
            FieldError: so many at once are never taken.
            RateLimitedError: it sends too many.
        """
        self._take(self.rates, client, count, "corrections")

    def _take(self, rates: ClientLimits, client: str, count: int, what: str) -> None:
        limit = self.settings.max_feedback_per_minute
        if count > limit:
            raise FieldError(
                f"{count} {what} in one request, the limit is {limit} (INKLING_MAX_FEEDBACK_PER_MINUTE); send fewer"
            )
        if wait_s := rates.wait_s(client):
            raise RateLimitedError(
                f"{client} sends more {what} than INKLING_MAX_FEEDBACK_PER_MINUTE, {limit}, allows; "
                f"wait {wait_s:.1f} s",
                wait_s,
            )
        for _ in range(count):
            rates.take(client)

    async def remember(
        self,
        client: str,
        body: bytes,
        content_type: str,
        accept: str,
        *,
        fit: Fit,
        return_image: bool,
        none: NonePolicy,
    ) -> Answer:
        """Return the answer of /predict, with an id for each prediction, by which it can be corrected.

        Raises:
            FeedbackOffError: the settings do not allow feedback.
            FieldError: there are too many images.
            RateLimitedError: the client has had too many predictions remembered.
            InklingError: as the other calls of `Inference`.
        """
        self.require_on()
        started = time.perf_counter()
        predictions = await self.inference.predict(body, content_type, fit)
        if none == "refuse":
            check_digits(predictions, self.inference.digit_threshold)
        if (count := len(predictions.images)) > MAX_REMEMBERED:
            raise FieldError(f"remember=true takes at most {MAX_REMEMBERED} images per request, the body holds {count}")
        self._take(self.remembered, client, count, "remembered predictions")
        ids = await run_sync(self.registry.corrections.remember, self._answered(predictions), limiter=self.threads)
        return self.inference.answer(predictions, accept, started, return_image=return_image, prediction_ids=ids)

    async def add(
        self, body: bytes, content_type: str, *, fit: Fit, labels: Sequence[int | None], source: str | None
    ) -> list[Correction]:
        """Read images and keep them with their true digits.

        Raises:
            CountError: there are more or fewer images than labels.
            FeedbackQuotaError: the registry is full.
            InklingError: as the other calls of `Inference`.
        """
        predictions = await self.inference.predict(body, content_type, fit)
        if (count := len(predictions.images)) != len(labels):
            raise CountError(
                f"the body holds {count} images, `label` {len(labels)}; send one label per image, separated by commas"
            )
        return await run_sync(
            self.registry.corrections.add,
            self._answered(predictions),
            labels,
            source,
            self.settings.max_feedback,
            limiter=self.threads,
        )

    async def correct(self, prediction_id: str, label: int | None, source: str | None) -> Correction:
        """Keep a remembered prediction with its true digit.

        Raises:
            UnknownPredictionError: it is not remembered.
            FeedbackQuotaError: the registry is full.
        """
        correct, limit = self.registry.corrections.correct, self.settings.max_feedback
        return await run_sync(correct, prediction_id, label, source, limit, limiter=self.threads)

    async def read_scores(self) -> list[FeedbackScore] | None:
        """Return the scores of each version on feedback; None if it is off, or the registry does not answer."""
        if self.settings.feedback == "off":
            return None
        try:
            return await run_sync(self.registry.corrections.scores, limiter=self.threads)
        except SQLAlchemyError:  # the other metrics are needed most when a database is down
            return None

    def _answered(self, predictions: Predictions) -> list[Answered]:
        count = len(predictions.images)
        are_digits: Sequence[bool | None] = predictions.are_digits(self.inference.digit_threshold) or [None] * count
        confidences = predictions.probabilities.max(axis=1).tolist()
        return [
            Answered(image.tobytes(), predictions.version, digit, confidence, is_digit)
            for image, digit, confidence, is_digit in zip(
                predictions.images, predictions.digits, confidences, are_digits, strict=True
            )
        ]
