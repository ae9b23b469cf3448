"""The time from exec to ready, and the memory of a worker after a minute of load."""

import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks import load, processes
from benchmarks.serving import CONNECTIONS, uploads
from benchmarks.verdicts import Log, Verdict
from inkling.model_card.markdown import paragraph, table

STARTS = 5
MINUTE_S = 60.0
MOST_S, MOST_MIB = 1.2, 104.0


@dataclass(frozen=True)
class Start:
    first_s: list[float]
    """Seconds to ready with an empty data directory: the database is created first."""
    again_s: list[float]
    """Seconds to ready with an existing database."""
    idle_mib: float
    loaded_mib: float
    """Resident memory when ready, and after a minute of load."""


def run(log: Log, seconds: float = MINUTE_S) -> Start:
    first: list[float] = []
    again: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(STARTS):
            for times in (first, again):
                port = processes.free_port()
                with processes.running(processes.serve_command(port, Path(folder) / str(number)), port) as process:
                    times.append(process.wait_for(process.is_ready))
            log(f"start {number + 1} of {STARTS}: {first[-1]:.2f} s, {again[-1]:.2f} s with a database")
        idle, loaded = _memory(Path(folder), seconds, log)
    return Start(first, again, idle, loaded)


def _memory(folder: Path, seconds: float, log: Log) -> tuple[float, float]:
    posts, _ = uploads(folder)
    with processes.running_inkling(folder / "0") as process:
        idle = process.resident_mib()[0]
        for post in posts.values():
            log(f"memory: {seconds / len(posts):.0f} s of load")
            load.send(post, f"{process.url}/predict", CONNECTIONS, seconds / len(posts))
        return idle, process.resident_mib()[0]


def section(start: Start) -> str:
    text = (
        "Ready is the first 200 of `GET /readyz`, timed from before the process is created; medians of "
        f"{STARTS} starts. Memory is the resident memory (VmRSS) of the one worker, before and after "
        f"{MINUTE_S:.0f} s of load over {CONNECTIONS} connections."
    )
    rows = [
        ["exec to ready, with an empty data directory", _seconds(start.first_s)],
        ["exec to ready, with an existing database", _seconds(start.again_s)],
        ["memory when ready", f"{start.idle_mib:.0f} MiB"],
        ["memory after a minute of load", f"{start.loaded_mib:.0f} MiB"],
    ]
    return "\n\n".join(["## Start and memory", paragraph(text), table(("measurement", "value"), rows)])


def verdicts(start: Start) -> list[Verdict]:
    starts = {"empty data directory": start.first_s, "existing database": start.again_s}
    return [
        Verdict(f"ready after exec, {name}", f"at most {MOST_S} s", _seconds(times), statistics.median(times) <= MOST_S)
        for name, times in starts.items()
    ] + [
        Verdict(
            "memory of a worker after a minute of load",
            f"at most {MOST_MIB:.0f} MiB",
            f"{start.loaded_mib:.0f} MiB",
            start.loaded_mib <= MOST_MIB,
        )
    ]


def _seconds(times: list[float]) -> str:
    return f"{statistics.median(times):.2f} s ({min(times):.2f} to {max(times):.2f})"
