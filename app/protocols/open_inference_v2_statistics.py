"""The statistics of models, as Triton counts them: requests, images and nanoseconds since the start of this process."""

import time
from dataclasses import dataclass
from typing import Any

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
