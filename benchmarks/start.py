"""From exec to ready, and the memory of a worker after a minute of load."""

import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks import load, processes
from benchmarks.serving import JUDGED, uploads
from benchmarks.verdicts import Tell, Verdict
from inkling.model_card.markdown import paragraph, table

STARTS = 5
MINUTE_S = 60.0
MOST_S, MOST_MB = 1.2, 110.0


@dataclass(frozen=True)
class Start:
    first_s: list[float]
    """Seconds to ready with an empty data directory: the database is made first."""
    again_s: list[float]
    """Seconds to ready with the database there."""
    idle_mb: float
    loaded_mb: float
    """Resident memory after the first answer, and after a minute of load."""


def run(tell: Tell, seconds: float = MINUTE_S) -> Start:
    first: list[float] = []
    again: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(STARTS):
            for times in (first, again):
                port = processes.free_port()
                with processes.started(processes.ours(port, Path(folder) / str(number)), port) as process:
                    times.append(process.wait_for(process.is_ready))
            tell(f"start {number + 1} of {STARTS}: {first[-1]:.2f} s, {again[-1]:.2f} s with a database")
        idle, loaded = _memory(Path(folder), seconds, tell)
    return Start(first, again, idle, loaded)


def _memory(folder: Path, seconds: float, tell: Tell) -> tuple[float, float]:
    posts, _ = uploads(folder)
    port = processes.free_port()
    with processes.started(processes.ours(port, folder / "0"), port) as process:
        process.wait_for(process.is_ready)
        idle = process.resident_mb()[0]
        for post in posts.values():
            tell(f"memory: {seconds / len(posts):.0f} s of load")
            load.send(post, f"{process.url}/predict", JUDGED, seconds / len(posts))
        return idle, process.resident_mb()[0]


def section(start: Start) -> str:
    text = (
        "Ready is the first 200 of `GET /readyz`, counted from before the process is made; medians of "
        f"{STARTS} starts. Memory is resident (VmRSS, MB of a million bytes), of the one worker, before and after "
        f"{MINUTE_S:.0f} s of load over {JUDGED} connections."
    )
    rows = [
        ["exec to ready, with an empty data directory", _seconds(start.first_s)],
        ["exec to ready, with its database", _seconds(start.again_s)],
        ["memory when ready", f"{start.idle_mb:.0f} MB"],
        ["memory after a minute of load", f"{start.loaded_mb:.0f} MB"],
    ]
    return "\n\n".join(["## Start and memory", paragraph(text), table(("what", "figure"), rows)])


def verdicts(start: Start) -> list[Verdict]:
    return [
        (f"ready after exec, {what}", f"at most {MOST_S} s", _seconds(times), statistics.median(times) <= MOST_S)
        for what, times in (("empty data directory", start.first_s), ("with its database", start.again_s))
    ] + [
        (
            "memory of a worker after a minute of load",
            f"at most {MOST_MB:.0f} MB",
            f"{start.loaded_mb:.0f} MB",
            start.loaded_mb <= MOST_MB,
        )
    ]


def _seconds(times: list[float]) -> str:
    return f"{statistics.median(times):.2f} s ({min(times):.2f} to {max(times):.2f})"
