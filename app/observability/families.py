"""The metrics of the service: their names, labels, buckets and meaning, and how those of several workers add up."""

from dataclasses import dataclass
from typing import Final, Literal

Merge = Literal["sum", "live_sum", "live_max", "max"]
"""How the values of all worker processes are one value: their sum; the sum or the largest of those of live ones; or the
largest of all, for what each process reads from the registry."""


@dataclass(frozen=True)
class Family:
    """A metric with all its series. In the exposition, a counter's name ends with `_total`."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    """The upper bounds of a histogram, without infinity."""
    merge: Merge = "sum"

    @property
    def width(self) -> int:
        """The values of a series: of a histogram, one for each bucket, one beyond them, and the sum."""
        return len(self.buckets) + 2 if self.kind == "histogram" else 1


LATENCY_BUCKETS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
CONFIDENCE_BUCKETS: Final = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.97, 0.99, 0.999)
DIGIT_SCORE_BUCKETS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
DURATION_BUCKETS_S: Final = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0, 43200.0, 86400.0)

REQUESTS: Final = Family(
    "inkling_requests", "counter", "requests answered", labels=("method", "route", "status", "protocol")
)
LATENCY: Final = Family(
    "inkling_request_seconds",
    "histogram",
    "seconds from the head of a request to the end of its answer",
    labels=("route",),
    buckets=LATENCY_BUCKETS_S,
)
PROBLEMS: Final = Family(
    "inkling_problems", "counter", "requests answered with an error, by the type of the problem", labels=("type",)
)
IMAGES: Final = Family("inkling_images", "counter", "images read")
PROTOCOL_IMAGES: Final = Family(
    "inkling_protocol_images",
    "counter",
    "images read through the protocols of other servers, by protocol; they are in inkling_images, too",
    labels=("protocol",),
)
DIGITS: Final = Family(
    "inkling_answered_digits", "counter", "images of one digit by the digit that was answered", labels=("digit",)
)
CONFIDENCE: Final = Family(
    "inkling_confidence_ratio", "histogram", "confidence of the answered digits, 0 to 1", buckets=CONFIDENCE_BUCKETS
)
DIGIT_SCORE: Final = Family(
    "inkling_digit_score_ratio",
    "histogram",
    "how much the images look like a digit, 0 to 1; is_digit is false below INKLING_DIGIT_THRESHOLD",
    buckets=DIGIT_SCORE_BUCKETS,
)
LAG: Final = Family(
    "inkling_event_loop_lag_seconds",
    "histogram",
    "event-loop lag, seconds: how late a probe of 50 ms wakes",
    buckets=LATENCY_BUCKETS_S,
)
DECODER_ENDS: Final = Family(
    "inkling_decoder_ends",
    "counter",
    "decoder processes that ended and were started again, by cause",
    labels=("cause",),
)
DATABASE_ERRORS: Final = Family(
    "inkling_database_errors", "counter", "errors of the registry's database, by kind", labels=("kind",)
)
CPU: Final = Family("process_cpu_seconds", "counter", "CPU time of all server processes, also of those that ended")
RUN_DURATION: Final = Family(
    "inkling_run_duration_seconds",
    "histogram",
    "seconds from start to end of all training runs in the registry, by how they ended",
    labels=("state",),
    buckets=DURATION_BUCKETS_S,
    merge="max",
)
PAUSED: Final = Family("inkling_training_paused", "gauge", "1 while a server process pauses training", merge="live_max")
IN_FLIGHT: Final = Family(
    "inkling_requests_in_flight",
    "gauge",
    "requests whose answers have not ended, in all server processes, as each sampled it in the last second",
    merge="live_sum",
)
CONNECTIONS: Final = Family(
    "inkling_open_connections", "gauge", "open connections of clients, sampled likewise", merge="live_sum"
)
WAITING: Final = Family(
    "inkling_decoder_waiting", "gauge", "batches of pictures that wait, sampled likewise", merge="live_sum"
)
RUNNING: Final = Family(
    "inkling_decoder_running", "gauge", "batches of pictures that are being decoded, sampled likewise", merge="live_sum"
)
POOL: Final = Family(
    "inkling_database_connections",
    "gauge",
    "connections to the registry's database, in use or idle in the pools, sampled likewise",
    labels=("state",),
    merge="live_sum",
)
REGISTRY_AGE: Final = Family(
    "inkling_registry_age_seconds",
    "gauge",
    "seconds since the registry last said which version is promoted, the longest of all server processes, sampled "
    "likewise",
    merge="live_max",
)

SHARED: Final = (
    REQUESTS,
    LATENCY,
    PROBLEMS,
    IMAGES,
    PROTOCOL_IMAGES,
    DIGITS,
    CONFIDENCE,
    DIGIT_SCORE,
    LAG,
    DECODER_ENDS,
    DATABASE_ERRORS,
    CPU,
    RUN_DURATION,
    PAUSED,
    IN_FLIGHT,
    CONNECTIONS,
    WAITING,
    RUNNING,
    POOL,
    REGISTRY_AGE,
)
"""The metrics that the processes share, in the order of the exposition."""
