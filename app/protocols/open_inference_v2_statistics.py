"""The statistics of models, as Triton counts them: requests, images and nanoseconds since the start of this process."""

import time
from dataclasses import dataclass
from typing import Any, Self

MAX_MODELS = 64
"""Models and versions that are counted; of more, those counted first are forgotten."""


@dataclass
class _Counts:
    requests: int = 0
    images: int = 0
    failed: int = 0
    failed_ns: int = 0
    input_ns: int = 0
    infer_ns: int = 0
    output_ns: int = 0
    last_ms: int = 0


class Timing:
    """The time of one request, in parts, as a context: it counts the request when it ends."""

    def __init__(self, statistics: "Statistics", key: tuple[str, int]) -> None:
        self._statistics = statistics
        self._key = key
        self.images = 0
        """Images that were read; set before the end."""

    def __enter__(self) -> Self:
        self._started_ns = self._received_ns = self._read_ns = self._scored_ns = time.perf_counter_ns()
        return self

    def note_received(self) -> None:
        """Begin the first part, reading the request: the wait for its body does not count."""
        self._received_ns = time.perf_counter_ns()

    def note_read(self) -> None:
        """End it, and begin the second part, the network."""
        self._read_ns = time.perf_counter_ns()

    def note_scored(self) -> None:
        """End it, and begin the third part, the answer."""
        self._scored_ns = time.perf_counter_ns()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        ended_ns = time.perf_counter_ns()
        if kind is None:
            self._statistics.count_success(
                self._key,
                self.images,
                self._read_ns - self._received_ns,
                self._scored_ns - self._read_ns,
                ended_ns - self._scored_ns,
            )
        elif issubclass(kind, Exception):
            self._statistics.count_failure(self._key, ended_ns - self._started_ns)


class Statistics:
    """Owns the counts of one server process."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, int], _Counts] = {}

    def count_success(self, key: tuple[str, int], images: int, input_ns: int, infer_ns: int, output_ns: int) -> None:
        """Count an answered request for a model and version, with the time of its three parts."""
        counts = self._of(key)
        counts.requests += 1
        counts.images += images
        counts.input_ns += input_ns
        counts.infer_ns += infer_ns
        counts.output_ns += output_ns
        counts.last_ms = time.time_ns() // 1_000_000

    def count_failure(self, key: tuple[str, int], ns: int) -> None:
        """Count a request that was answered with an error."""
        counts = self._of(key)
        counts.failed += 1
        counts.failed_ns += ns

    def versions(self, model: str) -> set[int]:
        """Return the versions of a model that have counts."""
        return {version for name, version in self._counts if name == model}

    def describe(self, model: str, version: int) -> dict[str, Any]:
        """Return the statistics of a model's version; none of it waits in a queue or comes from a cache."""
        counts = self._counts.get((model, version), _Counts())
        success = counts.requests

        def duration(count: int, ns: int) -> dict[str, int]:
            return {"count": count, "ns": ns}

        return {
            "name": model,
            "version": str(version),
            "last_inference": counts.last_ms,
            "inference_count": counts.images,
            "execution_count": success,
            "inference_stats": {
                "success": duration(success, counts.input_ns + counts.infer_ns + counts.output_ns),
                "fail": duration(counts.failed, counts.failed_ns),
                "queue": duration(success, 0),  # perf_analyzer takes a model whose queue does not count for another
                "compute_input": duration(success, counts.input_ns),
                "compute_infer": duration(success, counts.infer_ns),
                "compute_output": duration(success, counts.output_ns),
                "cache_hit": duration(0, 0),
                "cache_miss": duration(0, 0),
            },
            "response_stats": {},
            "batch_stats": [],
            "memory_usage": [],
        }

    def _of(self, key: tuple[str, int]) -> _Counts:
        counts = self._counts.get(key)
        if counts is None:
            counts = self._counts[key] = _Counts()
            if len(self._counts) > MAX_MODELS:
                del self._counts[next(iter(self._counts))]
        return counts
