"""`python -m benchmarks.operations`: the service as its clients see it, amid kills, behind nginx and during restarts.

Starts real servers and a real nginx, prints a table, and with `--update` writes its rows into docs/operations.md.
"""

import argparse
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.operations import keep_alive, stops, workers
from benchmarks.processes import ROOT
from benchmarks.scoreboard import report
from benchmarks.scoreboard.arena import Arena
from benchmarks.scoreboard.row import Attack, Measured, Row, Verdict
from benchmarks.verdicts import log_to_stderr
from inkling.model_card.markdown import paragraph

DOCUMENT = ROOT / "docs" / "operations.md"
TITLE = "## Kills, restarts and a proxy, under load"
REQUESTS = 100_000
LIMIT_S = 1800
PARTS: dict[str, tuple[str, str, Callable[[Path, int], Measured]]] = {
    "workers": (
        "A worker is killed",
        "every answer is counted once, beyond that at most what was in flight at the killed worker; the page agrees; "
        "no counter goes back; without load a worker is replaced within 1 s",
        workers.measure,
    ),
    "keepalive": ("Kept connections behind nginx", "0 failed, all compressed", keep_alive.measure),
    "stops": ("Restarts behind nginx", "0 failed", stops.measure),
}
READING = """
`python -m benchmarks.operations` measured this with real processes on {date}: {cores} cores, {processor}. Clients,
servers and nginx share the cores. Every answer is compared byte for byte with the right one.
`python -m benchmarks.operations NAME --update` repeats a row. A request that was in flight at a worker when it was
killed has no answer; it is counted if the worker had begun to write one, so the sum may exceed the answers by no more
than the requests without one.
"""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.operations", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="NAME", help=f"of {', '.join(PARTS)}; default: all")
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--update", action="store_true", help=f"write the rows into docs/{DOCUMENT.name}")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.parts) - set(PARTS):
        parser.error(f"no part is called {', '.join(sorted(unknown))}")
    rows = [measured_row(name, chosen.requests) for name in PARTS if name in (chosen.parts or PARTS)]
    text = DOCUMENT.read_text()
    known = report.rows_of(text) | {row.name: row for row in rows}
    section = section_of([known[name] for name in PARTS if name in known])
    print(section)
    if chosen.update:
        DOCUMENT.write_text(with_section(text, section))
    return 1 if any(row.verdict is Verdict.FAILS for row in rows) else 0


def measured_row(name: str, requests: int) -> Row:
    """Measure a part; one that breaks is a row that fails."""
    title, limit, measure = PARTS[name]
    with tempfile.TemporaryDirectory() as folder:
        attack = Attack(name, title, limit, lambda arena: measure(arena.folder, requests), LIMIT_S)
        row = attack.run(Arena(1, is_short=False, folder=Path(folder)))
    log_to_stderr(f"{row.verdict} {name}: {row.figure}")
    return row


def section_of(rows: Sequence[Row]) -> str:
    head = READING.format(date=time.strftime("%Y-%m-%d"), cores=os.cpu_count(), processor=report.processor())
    return f"{TITLE}\n\n{paragraph(head)}\n\n{report.table_of(rows)}\n"


def with_section(text: str, section: str) -> str:
    """Return a document whose section of this title is another one."""
    return re.sub(
        rf"^{re.escape(TITLE)}\n.*?(?=^## |\Z)", lambda _: f"{section}\n", text, flags=re.DOTALL | re.MULTILINE
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
