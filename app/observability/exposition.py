"""The exposition of the metrics of all server processes, in the formats of Prometheus."""

import math
import platform
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import accumulate

import numpy as np
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from app.observability.counter_file import CounterFile, Key
from app.observability.families import SHARED, Family, Merge
from app.observability.metrics import Metrics
from app.observability.process_figures import process_families
from app.observability.registry_figures import RegistryFigures
from inkling import __version__
from inkling.registry.records import FeedbackScore, Version

Totals = dict[Key, NDArray[np.float64]]
_MERGES: dict[str, Merge] = {family.name: family.merge for family in SHARED}


class Exposition:
    """Writes the metrics that one scrape gets, whichever process answers it.

    Args:
        metrics: of this process, with those of the others.
        figures: what this process knows of the registry; None: nothing.
    """

    def __init__(self, metrics: Metrics, figures: RegistryFigures | None = None) -> None:
        self._metrics = metrics
        self._figures = figures
        self._threads = CapacityLimiter(1)

    async def encode_in_thread(
        self,
        accept: str,
        version: Version | None,
        feedback: Sequence[FeedbackScore] | None = None,
        *,
        is_refused: bool = False,
    ) -> tuple[bytes, str]:
        """Do as `encode` in a thread of its own: those of the registry's calls may all wait for a database."""
        encode = partial(self.encode, accept, version, feedback, is_refused=is_refused)
        return await run_sync(encode, limiter=self._threads)

    def encode(
        self,
        accept: str,
        version: Version | None,
        feedback: Sequence[FeedbackScore] | None = None,
        *,
        is_refused: bool = False,
    ) -> tuple[bytes, str]:
        """Return the text and its media type: OpenMetrics if `accept` asks for it.

        Args:
            accept: the header Accept.
            version: the one that this process serves.
            feedback: how the versions did on what people corrected or confirmed; None if that is not collected.
            is_refused: whether the newest promoted version does not load, and another one is served.
        """
        self._metrics.sample()
        registry = CollectorRegistry()
        served = [*_served(version, is_refused=is_refused), *_feedback(feedback or ())]
        registry.register(_Collected([*self._gauges(), *served]))
        encode, media_type = choose_encoder(accept)
        shared = _shared_text(
            merged(self._metrics.file), is_openmetrics=media_type.startswith("application/openmetrics")
        )
        return shared.encode() + encode(registry), media_type

    def _gauges(self) -> Iterator[Metric]:
        yield from process_families(self._metrics.file)
        yield InfoMetricFamily(
            "inkling_build", "this program", {"version": __version__, "python": platform.python_version()}
        )
        if self._figures:
            yield from self._figures.families()


class _Collected(Collector):
    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Sequence[Metric]:
        return self._metrics


def merged(counters: CounterFile) -> Totals:
    """Return the values of each series over all processes, as its family says."""
    totals: Totals = {}
    for sheet in counters.sheets():
        is_live, places = sheet.is_live, list(sheet.places().items())
        end = max((place.first + place.width for _, place in places), default=0)
        values = np.array(sheet.values[:end])
        for key, (first, width) in places:
            merge = _MERGES.get(key[0])
            if merge is None or (not is_live and merge.startswith("live")):
                continue
            own, known = values[first : first + width], totals.get(key)
            if known is None:
                totals[key] = own.copy()
            else:
                (np.maximum if merge.endswith("max") else np.add)(known, own, out=known)
    return totals


def _shared_text(totals: Totals, *, is_openmetrics: bool) -> str:
    """Return the text of the series that the processes share: prometheus_client would take 10 ms for a thousand."""
    lines = []
    for family in SHARED:
        sample = f"{family.name}_total" if family.kind == "counter" else family.name
        name = family.name if is_openmetrics else sample
        lines += [f"# HELP {name} {family.help}", f"# TYPE {name} {family.kind}"]
        for (of, *labels), values in totals.items():
            if of != family.name:
                continue
            pairs = [f'{label}="{value}"' for label, value in zip(family.labels, map(_escaped, labels), strict=True)]
            if family.kind == "histogram":
                lines += _histogram_lines(family, ",".join(pairs), values.tolist())
            else:
                shown = f"{{{','.join(pairs)}}}" if pairs else ""
                lines.append(f"{sample}{shown} {float(values[0])}")
    return "\n".join([*lines, ""])


def _histogram_lines(family: Family, labels: str, values: list[float]) -> Iterator[str]:
    counts = list(accumulate(values[:-1]))
    prefix = f"{family.name}_bucket{{{labels}{',' if labels else ''}le="
    for bound, count in zip((*family.buckets, "+Inf"), counts, strict=True):
        yield f'{prefix}"{bound}"}} {count}'
    shown = f"{{{labels}}}" if labels else ""
    yield f"{family.name}_count{shown} {counts[-1]}"
    yield f"{family.name}_sum{shown} {values[-1]}"


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _served(version: Version | None, *, is_refused: bool) -> Iterator[Metric]:
    evaluation = version.evaluation if version else None
    for name, text, value in (
        (
            "inkling_served_version",
            "version being served by the process that answers; NaN if none is loaded",
            version.version if version else math.nan,
        ),
        (
            "inkling_promotion_refused",
            "1 while the newest promoted version does not load and another one is served",
            is_refused,
        ),
        (
            "inkling_test_accuracy",
            "accuracy of the served version on the test images; NaN if nobody has measured it",
            evaluation.accuracy if evaluation else math.nan,
        ),
        (
            "inkling_test_images",
            "test images that the accuracy was measured on",
            evaluation.total if evaluation else 0,
        ),
    ):
        yield GaugeMetricFamily(name, text, value=float(value))


def _feedback(scores: Sequence[FeedbackScore]) -> Iterator[Metric]:
    family = GaugeMetricFamily(
        "inkling_feedback_images",
        "images that people corrected or confirmed, by the version that had read them, and whether it was right",
        labels=("version", "answer"),
    )
    for score in scores:
        family.add_metric((str(score.version), "right"), score.correct)
        family.add_metric((str(score.version), "wrong"), score.total - score.correct)
    yield family
