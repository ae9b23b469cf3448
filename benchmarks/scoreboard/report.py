"""docs/reliability.md: the rows of a run as an operator reads them."""

import os
import platform
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.processes import ROOT
from benchmarks.scoreboard.memory_group import compose_limit_mib
from benchmarks.scoreboard.row import Row, Verdict
from inkling.model_card.markdown import paragraph, table

DOCUMENT = ROOT / "docs" / "reliability.md"
MARKS = {Verdict.HOLDS: "holds", Verdict.FAILS: "**fails**", Verdict.NOT_RUN: "not run"}
ROW = re.compile(r"\| \*\*(.*?)\*\* \(`([a-z0-9-]+)`\) \| (.*?) \| (.*?) \| (.*?) \| (.*?) \|")
READING = """
Each row is an attack or a fault against real processes, started for this row alone. The server has the memory limit of
docker-compose.yml, {limit} MiB, and its settings, in a memory cgroup where one can be created; the figure says which.
Attackers, server and observers share the cores of one machine, so latencies are upper bounds. A probe is `GET /livez`
on a new connection every 10 ms; an ordinary prediction is one image on a kept connection every 20 ms, and a failed one
counts as infinitely late. A probe is answered when the kernel gets the answer: the process that asked may wait for a
CPU. *Blocked* is the longest answer to a probe, less the time that the server's main thread waited for a CPU. CPU time
is of the server and all its children. Each row can fail, and one that breaks fails.
`python -m benchmarks.scoreboard --only NAME` repeats a row, with `--update` in this document.
"""


def document(sections: Mapping[str, Sequence[Row]], measured: str) -> str:
    """Return the document in Markdown.

    Args:
        sections: title -> its rows, in order.
        measured: by which command, when and where.
    """
    rows = [row for section in sections.values() for row in section]
    counts = Counter(row.verdict for row in rows)
    head = (
        f"Measured {measured}. {len(rows)} rows: {counts[Verdict.HOLDS]} hold, {counts[Verdict.FAILS]} fail, "
        f"{counts[Verdict.NOT_RUN]} were not run. What each defends is in [security.md](security.md)."
    )
    parts = ["# Reliability", paragraph(head), paragraph(READING.format(limit=compose_limit_mib()))]
    failed = [row for row in rows if row.verdict is Verdict.FAILS]
    if failed:
        parts += ["## What fails", "\n".join(f"* `{row.name}`: {row.attack}" for row in failed)]
    for title, section in sections.items():
        parts += [f"## {title}", table_of(section)]
    return "\n\n".join(parts) + "\n"


def here() -> str:
    """Return the date and the machine."""
    return f"on {time.strftime('%Y-%m-%d')}: {os.cpu_count()} cores, {processor()}"


def measured_again(text: str, names: Sequence[str]) -> str:
    """Return how a document was measured of which some rows are repeated here and now."""
    found = re.search(r"Measured (.*?)\. \d+ rows", " ".join(text.split()))
    first, *repeated = (found[1] if found else "never as a whole").split("; ")
    kept = [part for part in repeated if not set(re.findall(r"`([a-z0-9-]+)`", part)) <= set(names)]
    return "; ".join([first, *kept, f"{', '.join(f'`{name}`' for name in names)} again {here()}"])


def rows_of(text: str) -> dict[str, Row]:
    """Return the rows of a document, by name."""
    verdicts = {mark: verdict for verdict, mark in MARKS.items()}
    rows = {}
    for line in text.splitlines():
        if found := ROW.fullmatch(line):
            attack, name, done, figure, limit, mark = found.groups()
            rows[name] = Row(name, attack, _plain(done), _plain(figure), limit, verdicts[mark])
    return rows


def table_of(rows: Sequence[Row]) -> str:
    cells = [
        [f"**{row.attack}** (`{row.name}`)", _cell(row.done), _cell(row.figure), row.limit, MARKS[row.verdict]]
        for row in rows
    ]
    return table(("attack or fault", "what was done", "figure", "limit", "verdict"), cells)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "&#124;").split())


def _plain(cell: str) -> str:
    return cell.replace("&#124;", "|")


def processor() -> str:
    """Return the model of the CPU."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
