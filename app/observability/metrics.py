"""What GET /metrics reports: the served version's test accuracy, and the request and latency series."""

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

from inkling.network.classifier import Classifier

LATENCY_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """Owns the Prometheus series of one application."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._requests = Counter(
            "inkling_requests", "requests answered", ("method", "route", "status"), registry=self._registry
        )
        self._latency = Histogram(
            "inkling_request_seconds",
            "from the request's head to the answer's end",
            ("route",),
            buckets=LATENCY_BUCKETS_S,
            registry=self._registry,
        )
        self._images = Counter("inkling_images", "images read", registry=self._registry)
        self._version = Gauge("inkling_served_version", "version being served", registry=self._registry)
        self._accuracy = Gauge(
            "inkling_test_accuracy",
            "accuracy of the served version on the test images",
            registry=self._registry,
        )
        self._total = Gauge("inkling_test_images", "test images it was measured on", registry=self._registry)
        self._waits = Histogram(
            "inkling_event_loop_lag_seconds",
            "how long a prediction waits for the processor: a probe, while predictions come",
            buckets=LATENCY_BUCKETS_S,
            registry=self._registry,
        )
        self._paused = Gauge(
            "inkling_training_paused",
            "1 while this process has training stand still for its predictions",
            registry=self._registry,
        )
        self.images = 0
        """Images read so far."""
        self._count = lru_cache(maxsize=1024)(self._requests.labels)  # looking a series up costs as much as counting
        self._time = lru_cache(maxsize=1024)(self._latency.labels)

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        self._count(method, route, str(status)).inc()
        self._time(route).observe(seconds)

    def count_images(self, count: int) -> None:
        self._images.inc(count)
        self.images += count

    def observe_lag(self, seconds: float) -> None:
        self._waits.observe(seconds)

    def set_training_paused(self, is_paused: bool) -> None:
        self._paused.set(is_paused)

    def exposition(self, accept: str, classifier: Classifier) -> tuple[bytes, str]:
        """Return the Prometheus exposition and its media type: OpenMetrics where `accept` asks for it."""
        evaluation = classifier.checkpoint.card.evaluation
        self._version.set(classifier.version)
        self._accuracy.set(evaluation.accuracy)
        self._total.set(evaluation.total)
        encode, media_type = choose_encoder(accept)
        return encode(self._registry), media_type


def wants_exposition(accept: str) -> bool:
    """Whether an Accept header prefers Prometheus text to JSON.

    Only by name: scrapers name their formats and end with `*/*`, and so does every client that wants JSON.
    """
    return quality(accept, "text/plain", "application/openmetrics-text") > quality(accept, "application/json")


def quality(accept: str, *media_types: str) -> float:
    """Return how much an Accept header wants the best of these types by name: 0, not at all, to 1."""
    best = 0.0
    for item in accept.split(","):
        media_type, *parameters = (part.strip().lower() for part in item.split(";"))
        if media_type in media_types:
            best = max(best, next((_quality(p) for p in parameters if p.startswith("q=")), 1.0))
    return best


def _quality(parameter: str) -> float:
    try:
        return float(parameter.removeprefix("q="))
    except ValueError:
        return 0.0
