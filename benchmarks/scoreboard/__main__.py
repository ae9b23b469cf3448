"""`make scoreboard`: run every attack and fault, and write docs/reliability.md.

`--only NAME` runs some rows and prints them instead; with `--update` it writes them into the document, beside those of
the last run. `--short` takes small counts and short durations.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks.scoreboard import report
from benchmarks.scoreboard.arena import Arena
from benchmarks.scoreboard.row import Attack, Row, Verdict
from benchmarks.scoreboard.sections import SECTIONS
from benchmarks.verdicts import log_to_stderr


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scoreboard", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="rows to run")
    parser.add_argument("--update", action="store_true", help="with --only: write these rows into the document")
    parser.add_argument("--short", action="store_true", help="small counts and short durations")
    parser.add_argument("--list", action="store_true", help="list the rows")
    chosen = parser.parse_args(arguments)
    if chosen.list:
        print("\n".join(f"{attack.name:24} {attack.attack}" for attack in every_attack()))
        return 0
    if unknown := set(chosen.only or ()) - {attack.name for attack in every_attack()}:
        parser.error(f"no row is called {', '.join(sorted(unknown))}; --list shows all")
    with tempfile.TemporaryDirectory() as folder:
        rows = run(Arena(chosen.seed, chosen.short, Path(folder)), chosen.only)
    measured = f"by `make scoreboard` {report.here()}"
    if chosen.update:
        last = report.DOCUMENT.read_text() if report.DOCUMENT.exists() else ""
        measured = report.measured_again(last, [row.name for section in rows.values() for row in section])
        rows = _beside_those_of_the_last_run(rows, last)
    if (chosen.only and not chosen.update) or chosen.short:
        command = "python -m benchmarks.scoreboard " + " ".join(arguments)
        print(report.document(rows, f"by `{command}` {report.here()}"))
    else:
        report.DOCUMENT.write_text(report.document(rows, measured))
        log_to_stderr(f"written: {report.DOCUMENT.name}")
    return 1 if any(row.verdict is Verdict.FAILS for section in rows.values() for row in section) else 0


def _beside_those_of_the_last_run(rows: Mapping[str, Sequence[Row]], last: str) -> Mapping[str, Sequence[Row]]:
    known = report.rows_of(last)
    known |= {row.name: row for section in rows.values() for row in section}
    return {
        title: [known.get(attack.name) or attack.not_run("not run yet") for attack in attacks]
        for title, attacks in SECTIONS.items()
    }


def every_attack() -> Iterable[Attack]:
    return (attack for attacks in SECTIONS.values() for attack in attacks)


def run(arena: Arena, only: Sequence[str] | None) -> Mapping[str, Sequence[Row]]:
    """Run the attacks one after another; after Ctrl-C the rest is not run."""
    rows: dict[str, list[Row]] = {}
    is_interrupted = False
    for title, attacks in SECTIONS.items():
        for attack in attacks:
            if only and attack.name not in only:
                continue
            try:
                row = attack.not_run("interrupted") if is_interrupted else attack.run(arena)
            except KeyboardInterrupt:
                is_interrupted, row = True, attack.not_run("interrupted")
            log_to_stderr(f"{row.verdict:8} {row.name}: {row.figure}")
            rows.setdefault(title, []).append(row)
    return rows


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
