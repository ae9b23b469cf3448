"""The Prometheus metrics of the service."""

import math
import threading
from collections import Counter as Counts
from collections import deque
from collections.abc import Callable, Sequence
from functools import lru_cache

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import choose_encoder

from inkling.registry.records import FeedbackScore, Version

BATCH = 256
"""Requests that are counted together; see `Metrics.observe`."""
LATENCY_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """Owns the metrics of one application."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._requests = Counter(
            "inkling_requests", "requests answered", ("method", "route", "status"), registry=self._registry
        )
        self._latency = Histogram(
            "inkling_request_seconds",
            "seconds from the head of a request to the end of its answer",
            ("route",),
            buckets=LATENCY_BUCKETS_S,
            registry=self._registry,
        )
        self._images = Counter("inkling_images", "images read", registry=self._registry)
        self._protocol_images = Counter(
            "inkling_protocol_images",
            "images read through the protocols of other servers, by protocol; they are in inkling_images, too",
            ("protocol",),
            registry=self._registry,
        )
        self._version = Gauge("inkling_served_version", "version being served", registry=self._registry)
        self._refused = Gauge(
            "inkling_promotion_refused",
            "1 while the newest promoted version does not load and another one is served",
            registry=self._registry,
        )
        self._accuracy = Gauge(
            "inkling_test_accuracy",
            "accuracy of the served version on the test images; NaN if nobody has measured it",
            registry=self._registry,
        )
        self._total = Gauge(
            "inkling_test_images", "test images that the accuracy was measured on", registry=self._registry
        )
        self._feedback = Gauge(
            "inkling_feedback_images",
            "images that people corrected or confirmed, by the version that had read them, and whether it was right",
            ("version", "answer"),
            registry=self._registry,
        )
        self._lag = Histogram(
            "inkling_event_loop_lag_seconds",
            "event-loop lag, seconds, while predictions come: how late a probe of 50 ms wakes",
            buckets=LATENCY_BUCKETS_S,
            registry=self._registry,
        )
        self._paused = Gauge(
            "inkling_training_paused",
            "1 while this process pauses training",
            registry=self._registry,
        )
        self._waiting = Gauge("inkling_decoder_waiting", "batches of pictures that wait", registry=self._registry)
        self._running = Gauge(
            "inkling_decoder_running", "batches of pictures that are being decoded", registry=self._registry
        )
        self._decoder_ends = Counter(
            "inkling_decoder_ends",
            "decoder processes that ended and were started again, by cause",
            ("cause",),
            registry=self._registry,
        )
        self.images = 0
        """Images read so far."""
        self._counted_images = 0
        self._images_of = Counts[str]()
        """Images that are not counted yet, by the protocol that they came through."""
        self._lock = threading.Lock()
        """Held while images or pending requests are counted."""
        self._pending: deque[tuple[str, str, int, float]] = deque()
        """Requests that are not counted yet: method, route, status, seconds."""
        self._count = lru_cache(maxsize=1024)(self._requests.labels)  # looking up a series costs as much as counting
        self._time = lru_cache(maxsize=1024)(self._latency.labels)

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Record an answered request.

        Requests are counted in batches: one by one, between predictions that replace the CPU's caches, it costs 4 us.
        """
        self._pending.append((method, route, status, seconds))
        if len(self._pending) >= BATCH:
            self._count_pending()

    def count_images(self, count: int, protocol: str | None = None) -> None:
        """Count images that were read; `protocol` is the one of another server that they came through."""
        with self._lock:
            self.images += count
            if protocol is not None:
                self._images_of[protocol] += count

    def watch_decoders(self, waiting: Callable[[], float], running: Callable[[], float]) -> None:
        """Report what these return at each exposition."""
        self._waiting.set_function(waiting)
        self._running.set_function(running)

    def count_decoder_end(self, cause: str) -> None:
        self._decoder_ends.labels(cause).inc()

    def observe_lag(self, seconds: float) -> None:
        self._lag.observe(seconds)

    def set_training_paused(self, *, is_paused: bool) -> None:
        self._paused.set(is_paused)

    def exposition(
        self,
        accept: str,
        version: Version | None,
        feedback: Sequence[FeedbackScore] | None = None,
        *,
        is_refused: bool = False,
    ) -> tuple[bytes, str]:
        """Return the metrics in a text format of Prometheus and its media type: OpenMetrics if `accept` asks for it."""
        self._count_pending()
        self._feedback.clear()
        for score in feedback or ():
            self._feedback.labels(score.version, "right").set(score.correct)
            self._feedback.labels(score.version, "wrong").set(score.total - score.correct)
        self._refused.set(is_refused)
        if version:
            self._version.set(version.version)
            self._accuracy.set(version.evaluation.accuracy if version.evaluation else math.nan)
            self._total.set(version.evaluation.total if version.evaluation else 0)
        encode, media_type = choose_encoder(accept)
        return encode(self._registry), media_type

    def _count_pending(self) -> None:
        """Count the pending requests and images; called by the event loop, and by the threads of scrapes."""
        with self._lock:
            self._images.inc(self.images - self._counted_images)
            self._counted_images = self.images
            for protocol, count in self._images_of.items():
                self._protocol_images.labels(protocol).inc(count)
            self._images_of.clear()
            while self._pending:
                method, route, status, seconds = self._pending.popleft()
                self._count(method, route, str(status)).inc()
                self._time(route).observe(seconds)
