"""The metrics of one server process, counted where every other one reads them."""

import asyncio
import os
import threading
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from app.observability import families
from app.observability.counter_file import CounterFile
from app.observability.error_ring import RecentError
from app.observability.families import Family
from app.protocol_paths import protocol_of
from inkling.digit import NUM_CLASSES, Floats
from inkling.predictor import Predictions

SAMPLE_S: Final = 1.0
SMALL: Final = 16
"""Images that are counted one by one, in less time than NumPy takes."""


class Metrics:
    """Owns the counters of one application. `observe` is of the event loop; the others, of any thread.

    A count is one addition to shared memory, with a Python number per series to find it: 0.4 us per request.

    Args:
        file: the counters that the worker processes of a server share; None: this process is alone.
    """

    def __init__(self, file: CounterFile | None = None) -> None:
        self.file = file or CounterFile()
        self._sheet = self.file.claim()
        self._values = self._sheet.values
        self._lock = threading.Lock()
        """Held while a thread counts, and while a series is made."""
        self._requests: dict[tuple[str, str, int], tuple[int, int]] = {}
        """By method, route and status: the indices of the counter and of the histogram."""
        self._indices: dict[tuple[str, ...], int] = {}
        self._gauges: list[tuple[int, Callable[[], float]]] = []
        self.images = 0
        """Images read so far, by this process."""
        self.in_flight = 0
        """Requests whose answers have not ended."""
        self._image_counts = [self._index(families.IMAGES), *self._digit_indices()]
        self._confidence = self._index(families.CONFIDENCE)
        self._digit_score = self._index(families.DIGIT_SCORE)
        self._paused, self._lag = self._index(families.PAUSED), self._index(families.LAG)
        self._cpu, self._cpu_s = self._index(families.CPU), 0.0
        self.report(families.IN_FLIGHT, lambda: self.in_flight)
        self.set_training_paused(is_paused=False)  # the sheet may be that of a process that died

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        found = self._requests.get((method, route, status))
        if found is None:
            found = self._add_request(method, route, status)
        counter, latency = found
        values = self._values
        values[latency + bisect_left(families.LATENCY_BUCKETS_S, seconds)] += 1
        values[latency + families.LATENCY.width - 1] += seconds
        values[counter] += 1

    def count_problem(self, kind: str) -> None:
        """Count a request that was answered with an error; `kind` is the slug of the problem's type."""
        self._add(families.PROBLEMS, kind)

    def record_error(self, error: RecentError) -> None:
        """Keep an error among the newest ones; of the event loop."""
        self._sheet.errors.write(error)

    def recent_errors(self) -> list[RecentError]:
        """Return the newest errors of all processes, newest first."""
        errors = (error for sheet in self.file.sheets() for error in sheet.errors.read())
        return sorted(errors, reverse=True)

    def count_images(self, count: int) -> None:
        """Count images that were read, whatever they show."""
        with self._lock:
            self.images += count
            self._values[self._image_counts[0]] += count

    def count_predictions(self, predictions: Predictions, protocol: str | None = None) -> None:
        """Count images of one digit that were read, and what was read.

        Args:
            predictions: the answers.
            protocol: of another server, through which they came.
        """
        count = len(predictions.images)
        self.count_images(count)
        if protocol is not None:
            self._add(families.PROTOCOL_IMAGES, protocol, count=count)
        probabilities, scores = predictions.probabilities, predictions.digit_scores
        with self._lock:
            if count <= SMALL:
                self._count_each(probabilities, scores)
            else:
                digits = np.bincount(probabilities.argmax(axis=1), minlength=NUM_CLASSES)
                for index, number in zip(self._image_counts[1:], digits.tolist(), strict=True):
                    self._values[index] += number
                self._observe_many(families.CONFIDENCE, self._confidence, probabilities.max(axis=1))
                if scores is not None:
                    self._observe_many(families.DIGIT_SCORE, self._digit_score, scores)

    def _count_each(self, probabilities: Floats, scores: Floats | None) -> None:
        values, confidence_at, score_at = self._values, self._confidence, self._digit_score
        for row in probabilities.tolist():
            confidence = max(row)
            values[self._image_counts[1 + row.index(confidence)]] += 1
            values[confidence_at + bisect_left(families.CONFIDENCE_BUCKETS, confidence)] += 1
            values[confidence_at + families.CONFIDENCE.width - 1] += confidence
        for score in () if scores is None else scores.tolist():
            values[score_at + bisect_left(families.DIGIT_SCORE_BUCKETS, score)] += 1
            values[score_at + families.DIGIT_SCORE.width - 1] += score

    def _observe_many(self, family: Family, first: int, observed: Floats) -> None:
        buckets = np.searchsorted(family.buckets, observed.astype(np.float64))
        for offset, count in enumerate(np.bincount(buckets).tolist()):
            self._values[first + offset] += count
        self._values[first + family.width - 1] += float(observed.sum(dtype=np.float64))

    def count_decoder_end(self, cause: str) -> None:
        self._add(families.DECODER_ENDS, cause)

    def count_database_error(self, kind: str) -> None:
        self._add(families.DATABASE_ERRORS, kind)

    def observe_lag(self, seconds: float) -> None:
        with self._lock:
            self._values[self._lag + bisect_left(families.LAG.buckets, seconds)] += 1
            self._values[self._lag + families.LAG.width - 1] += seconds

    def set_training_paused(self, *, is_paused: bool) -> None:
        self._values[self._paused] = is_paused

    def set_durations(self, state: str, buckets: Sequence[int], total_s: float) -> None:
        """Set the histogram of the runs that ended in a state; never back, if some of them were deleted.

        Args:
            state: of the runs.
            buckets: runs in each bucket, and beyond the last.
            total_s: their durations in all.
        """
        first = self._index(families.RUN_DURATION, state)
        with self._lock:
            for index, value in enumerate((*buckets, total_s), start=first):
                self._values[index] = max(self._values[index], value)

    def report(self, family: Family, read: Callable[[], float], *labels: str) -> None:
        """Report what `read` returns as a gauge: sampled each second, and at each scrape of this process."""
        self._gauges.append((self._index(family, *labels), read))

    async def watch(self) -> None:
        """Sample the gauges each second, until cancelled: for scrapes of other processes."""
        while True:
            self.sample()
            await asyncio.sleep(SAMPLE_S)

    def sample(self) -> None:
        """Sample the gauges, and the CPU time of this process."""
        times = os.times()
        with self._lock:
            for index, read in self._gauges:
                self._values[index] = read()
            cpu_s = times.user + times.system
            self._values[self._cpu] += max(0.0, cpu_s - self._cpu_s)
            self._cpu_s = cpu_s

    def _add(self, family: Family, *labels: str, count: float = 1) -> None:
        index = self._index(family, *labels)
        with self._lock:
            self._values[index] += count

    def _add_request(self, method: str, route: str, status: int) -> tuple[int, int]:
        counter = self._index(families.REQUESTS, method, route, str(status), protocol_of(route))
        found = self._requests[method, route, status] = (counter, self._index(families.LATENCY, route))
        return found

    def _digit_indices(self) -> list[int]:
        return [self._index(families.DIGITS, str(digit)) for digit in range(NUM_CLASSES)]

    def _index(self, family: Family, *labels: str) -> int:
        key = (family.name, *labels)
        found = self._indices.get(key)
        if found is None:
            with self._lock:
                found = self._indices[key] = self._sheet.index_of(family, *labels)
        return found
