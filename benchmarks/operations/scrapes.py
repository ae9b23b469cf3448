"""Scrapes of the metrics, and what goes back between them."""

import re
import time
from dataclasses import dataclass, field
from http.client import HTTPException
from urllib.request import urlopen

PATH = "/metrics?format=prometheus"
TYPE = re.compile(r"^# TYPE (\S+) (counter|histogram)$", re.MULTILINE)
PREDICTIONS = re.compile(r'^inkling_requests_total\{.*route="/predict".*\} (\S+)$', re.MULTILINE)


@dataclass
class Scrapes:
    """Each on a connection of its own, so that any worker answers."""

    url: str
    seconds: list[float] = field(default_factory=list)
    gone_back: set[str] = field(default_factory=set)
    """Series of counters and histograms whose value was smaller than before, or missing."""
    failed: int = 0
    """Scrapes without an answer, which were repeated: they had come to a worker that was killed."""
    _last: str = ""

    def scrape(self) -> str:
        """Scrape once, compare with the last time, and return the text."""
        started = time.perf_counter()
        try:
            with urlopen(self.url + PATH, timeout=60) as answer:
                text: str = answer.read().decode()
        except (OSError, HTTPException):
            self.failed += 1
            return self.scrape()
        self.seconds.append(time.perf_counter() - started)
        self.gone_back |= series_gone_back(self._last, text)
        self._last = text
        return text

    def predictions(self) -> int:
        """Return the requests of POST /predict that the servers have counted."""
        return int(sum(float(value) for value in PREDICTIONS.findall(self.scrape())))


def series_gone_back(before: str, after: str) -> set[str]:
    """Return the series of two scrapes that may only grow, and did not."""
    grown = _monotonic(after)
    return {series for series, value in _monotonic(before).items() if grown.get(series, -1.0) < value}


def _monotonic(text: str) -> dict[str, float]:
    """Return the series that may only grow: counters, and the buckets, counts and sums of histograms."""
    families = {name for name, _ in TYPE.findall(text)}
    samples = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {
        series: float(value)
        for series, value in samples
        if (name := series.partition("{")[0]) in families or re.sub("_(bucket|count|sum)$", "", name) in families
    }
