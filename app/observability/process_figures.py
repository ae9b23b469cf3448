"""The memory and the open files of all server processes, from the kernel."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from app.observability.counter_file import CounterFile

PAGE_BYTES = resource.getpagesize()


def process_families(counters: CounterFile) -> Iterator[Metric]:
    """Yield the gauges that Prometheus' clients have of a process, here of all server processes together.

    Those of memory and files need Linux.
    """
    yield GaugeMetricFamily(
        "process_start_time_seconds",
        "start of the server in Unix time; a process that is replaced does not change it",
        value=counters.started_at,
    )
    yield GaugeMetricFamily(
        "process_max_fds",
        "maximum open file descriptors of each server process",
        value=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    )
    found = [figures for sheet in counters.sheets() if (figures := _read(sheet.pid))]
    yield GaugeMetricFamily("inkling_workers", "server processes that are alive", value=len(found))
    for name, text, values in zip(
        ("process_virtual_memory_bytes", "process_resident_memory_bytes", "process_open_fds"),
        ("virtual memory", "resident memory; pages that they share count in each", "open file descriptors"),
        zip(*found, strict=True),
        strict=False,  # nothing is found where there is no /proc
    ):
        yield GaugeMetricFamily(name, f"{text}, of all server processes", value=sum(values))


def _read(pid: int) -> tuple[int, int, int] | None:
    """Return the virtual and the resident bytes and the open files of a process; None if it is dead."""
    folder = Path(f"/proc/{pid}")
    try:
        pages = (folder / "statm").read_text().split()
        return int(pages[0]) * PAGE_BYTES, int(pages[1]) * PAGE_BYTES, len(os.listdir(folder / "fd"))
    except (OSError, IndexError):
        return None
