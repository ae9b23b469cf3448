"""`python -m benchmarks.registry`: a registry of many years, before and after `inkling prune`, beside a server.

Fills a registry with 10,000 versions (6 GB), 100,000 runs and 3 million lines of progress, and measures its lists,
`inkling verify`, `backup` and `restore`. While `inkling prune` runs, a server answers, and a trainer's writes are
timed. Then it counts the SQL statements of an idle server on PostgreSQL. Before, 1,000 clients watch a run. It needs
20 GB of free disk. `--update` writes the results into the table "Size and speed" of docs/operations.md.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, insert

from benchmarks.document_sections import write_rows
from benchmarks.processes import ROOT, running_inkling
from benchmarks.registry_watchers import idle, watched
from benchmarks.verdicts import log_to_stderr, seconds
from inkling.model_card.markdown import table
from inkling.network import checkpoint
from inkling.network.pretrained import load_pretrained
from inkling.network.recipe import TUTORIAL
from inkling.registry import tables
from inkling.registry.records import Progress
from inkling.registry.registry import Registry

VERSIONS_AT_ONCE = 100
RUNS_AT_ONCE = 5000
LONG_RUN, LINES, LONG_LINES = 100, 18, 1200
"""Every hundredth run has 1,200 lines of progress, the others 18."""
PROMOTED = 10
"""Every tenth version was promoted."""
REPEATS = 20
PAUSE_S = 0.1
"""Between two writes of the trainer beside `inkling prune`: as often as the fastest real ones."""
PEAK_MEMORY = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
"""Prints the peak memory of a command, in KB. A new process begins with the peak of its parent: this one is small."""
INSERT_PROGRESS = (
    "INSERT INTO run_progress (run_id, step, loss, accuracy, validation_accuracy, elapsed_s) VALUES (?, ?, ?, ?, ?, ?)"
)
ENDLESS = TUTORIAL.with_overrides({"training_steps": 1_000_000, "display_step": 1000})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--versions", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="for the registry; default: a temporary one")
    parser.add_argument("--update", action="store_true", help="write the results into docs/operations.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        data_dir = Path(folder)
        url = f"sqlite:///{data_dir / 'inkling.db'}"
        Registry(url).close()
        log_to_stderr(f"filling {options.versions} versions and {options.runs} runs")
        fill(url, options.versions, options.runs)
        before = {**measure(url, data_dir), **watched(url, data_dir)}
        pruned = prune_beside_a_server(url, data_dir)
        after = {**measure(url, data_dir), **restored(data_dir)}
    rows = [
        ["versions, runs, lines of progress", *[_counts(options.versions, options.runs), ""]],
        *([name, before.get(name, ""), after.get(name, "")] for name in {**before, **after}),
        *([name, value, ""] for name, value in {**pruned, **idle()}.items()),
    ]
    print(table(["", "before", "after `inkling prune`"], rows))
    if options.update:
        write_rows(ROOT / "docs" / "operations.md", "Size and speed", rows)


def _counts(versions: int, runs: int) -> str:
    return f"{versions:,}, {runs:,}, {sum(_lines(run) for run in range(1, runs + 1)):,}"


def _lines(run: int) -> int:
    return LONG_LINES if run % LONG_RUN == 0 else LINES


def fill(url: str, versions: int, runs: int) -> None:
    """Add rows without the checks of the registry's methods: run 1 made version 2, and so on, over three years."""
    shipped = load_pretrained()
    evaluation = shipped.card.evaluation.model_dump()
    recipe = TUTORIAL.model_dump()
    oldest = datetime.now(UTC) - timedelta(days=3 * 365)

    def ended(run: int) -> datetime:
        return oldest + run * timedelta(days=3 * 365) / (runs + 1)

    engine = create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA synchronous=OFF")
    for start in range(1, versions + 1, VERSIONS_AT_ONCE):
        numbers = range(start, min(start + VERSIONS_AT_ONCE, versions + 1))
        contents = [_variant(shipped, number) for number in numbers]
        with engine.begin() as connection:
            common = {"evaluation": evaluation, "created_at": oldest}
            connection.execute(
                insert(tables.versions),
                [
                    {
                        "version": number,
                        "run_id": number - 1 or None,
                        "digest": content.digest,
                        "size_bytes": len(content.content),
                        "origin": "run" if number > 1 else "shipped",
                        "measured_by": "trainer" if number > 1 else "release",
                        **common,
                    }
                    for number, content in zip(numbers, contents, strict=True)
                ],
            )
            rows = [{"version": n, "content": file.content} for n, file in zip(numbers, contents, strict=True)]
            connection.execute(insert(tables.checkpoints), rows)
            decision = {"promoted_at": oldest, "policy": "if_better", "reason": "for the benchmark"}
            decisions = [{"version": n, "is_promoted": n % PROMOTED == 1, **decision} for n in numbers]
            connection.execute(insert(tables.promotions), decisions)
    for start in range(1, runs + 1, RUNS_AT_ONCE):
        ids = range(start, min(start + RUNS_AT_ONCE, runs + 1))
        with engine.begin() as connection:
            connection.execute(insert(tables.runs), [_run(run, versions, ended(run), recipe) for run in ids])
            lines = [(run, step, 1.0, 0.9, 0.9, 1.0) for run in ids for step in range(1, _lines(run) + 1)]
            connection.exec_driver_sql(INSERT_PROGRESS, lines)  # three times as fast as by names
    engine.dispose()


def _variant(shipped: checkpoint.Checkpoint, number: int) -> checkpoint.Checkpoint:
    """Return the network that ships with another bias, and so another digest. It is not loaded, to save time."""
    biases = shipped.parameters["biases/out"].copy()
    biases[0] += number * 1e-4
    parameters = {**shipped.parameters, "biases/out": biases}
    return checkpoint.Checkpoint(checkpoint.serialize(parameters, shipped.card), parameters, shipped.card)


def _run(run: int, versions: int, ended: datetime, recipe: dict[str, Any]) -> dict[str, Any]:
    has_version = run < versions
    return {
        "id": run,
        "state": "succeeded" if has_version else "failed",
        "version": run + 1 if has_version else None,
        "error_type": None if has_version else "diverged",
        "recipe": recipe,
        "promote": "if_better",
        "requested_at": ended,
        "started_at": ended,
        "finished_at": ended,
        "step": 3000,
        "total_steps": 3000,
        "attempt": 1,
    }


def measure(url: str, data_dir: Path) -> dict[str, str]:
    """Return what the registry's calls and commands take, as text."""
    registry = Registry(url)
    digest = registry.versions.newest(1)[0].digest
    calls: dict[str, Callable[[], object]] = {
        "the served version": registry.versions.served,
        "a page of 100 versions": lambda: registry.versions.newest(100),
        "a version by its digest": lambda: registry.versions.find(digest),
        "a page of 100 runs": lambda: registry.runs.newest(100),
        "the progress of a run, 1,200 lines": lambda: registry.runs.progress(LONG_RUN),
        "the versions that stand in for a damaged one": registry.versions.fallbacks,
        "the statistics for the metrics": registry.statistics.read,
    }
    taken = {
        name: f"{1000 * statistics.median(seconds(call) for _ in range(REPEATS)):.2f} ms"
        for name, call in calls.items()
    }
    size = registry.size_bytes()
    registry.close()
    with running_inkling(data_dir) as server, server.client() as client:
        for path in ("/versions?limit=100", "/train?limit=100"):
            asked = [seconds(lambda path=path: client.get(path).raise_for_status()) for _ in range(REPEATS)]  # type: ignore[misc]
            taken[f"`GET {path}`"] = f"{1000 * statistics.median(asked):.1f} ms"
    backup = data_dir / "backup.db"
    taken["`inkling verify`"] = _command(data_dir, "verify")
    taken["`inkling backup`"] = _command(data_dir, "backup", str(backup))
    backup.unlink()
    return {"the database": f"{size / 1e6:,.0f} MB", **taken}


def restored(data_dir: Path) -> dict[str, str]:
    """Return what a restoration of the pruned registry takes."""
    backup, folder = data_dir / "backup.db", data_dir / "restored"
    _command(data_dir, "backup", str(backup))
    return {"`inkling restore`": _command(folder, "restore", str(backup))}


def _command(data_dir: Path, *arguments: str) -> str:
    """Run a command of Inkling; return its time and largest memory."""
    command = [sys.executable, "-m", "app.cli", *arguments, "--data-dir", str(data_dir)]
    started = time.perf_counter()
    peak = subprocess.run(
        [sys.executable, "-c", PEAK_MEMORY, *command], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.split()[-1]
    taken = time.perf_counter() - started
    log_to_stderr(f"{arguments[0]}: {taken:.1f} s")
    return f"{taken:.1f} s, {int(peak) / 1000:.0f} MB"


def prune_beside_a_server(url: str, data_dir: Path) -> dict[str, str]:
    """Prune while a server answers and a trainer writes; return what that took, and the longest waits."""
    registry = Registry(url)
    registry.runs.queue(ENDLESS, "never", max_queued=1)
    lease = registry.runs.claim(24 * 3600, "benchmark")
    if lease is None:
        raise RuntimeError("the run cannot be claimed")
    writes: list[float] = []
    answers: list[float] = []
    with running_inkling(data_dir) as server, server.client() as client:
        started = time.perf_counter()
        command = [sys.executable, "-m", "app.cli", "prune", "--data-dir", str(data_dir)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        step = 0
        while process.poll() is None:
            step += 1
            progress = Progress(step, 1.0, 0.9, None, 1.0)
            writes.append(seconds(lambda progress=progress: registry.runs.record_progress(lease, progress)))  # type: ignore[misc]
            answers.append(seconds(lambda: client.get("/versions").raise_for_status()))
            time.sleep(PAUSE_S)
        taken = time.perf_counter() - started
    registry.runs.cancel(lease.run.id)
    registry.close()
    if process.returncode:
        raise RuntimeError(f"prune ended with {process.returncode}")
    return {
        "`inkling prune`": f"{taken:.0f} s",
        "a trainer's writes meanwhile": f"{len(writes):,}",
        "their median and longest": f"{1000 * statistics.median(writes):.0f} and {1000 * max(writes):.0f} ms",
        "`GET /versions`, the same": f"{1000 * statistics.median(answers):.0f} and {1000 * max(answers):.0f} ms",
    }


if __name__ == "__main__":
    main()
