"""`python -m benchmarks.outages`: outages of PostgreSQL during runs, dropped connections, and wrong clocks.

    away       PostgreSQL stops during a run (`--minutes 5`); the run must end as an undisturbed one
    failover   PostgreSQL fails during a run, and its replica is promoted
    dropped    the network drops the connections of a server; it must follow promotions, and end at SIGTERM
    clocks     three trainers with clocks at -60, 0 and +60 s, on PostgreSQL

Real servers, trainers and PostgreSQL servers, runs on 2,000 synthetic digits, and a client that asks for 50 predictions
per second. `--update` writes the results into the table "Outages" of docs/operations.md. It ends with an error where
something is lost.
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks.digits import write_mnist
from benchmarks.document_sections import write_rows
from benchmarks.outages.away import database_fails_over, database_stops
from benchmarks.outages.clocks import clocks_differ
from benchmarks.outages.dropped import connections_are_dropped
from benchmarks.processes import ROOT
from benchmarks.verdicts import log_to_stderr
from inkling.model_card.markdown import table

DOCUMENT = ROOT / "docs" / "operations.md"
HEADER = ("fault", "predictions meanwhile", "outcome")
PARTS = ("away", "failover", "dropped", "clocks")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=PARTS, default=PARTS)
    parser.add_argument("--minutes", type=float, default=5, help="that PostgreSQL is stopped for")
    parser.add_argument("--steps", type=int, default=30_000, help="of each run")
    parser.add_argument("--update", action="store_true", help="write the results into docs/operations.md")
    options = parser.parse_args()
    for part in options.parts:
        log_to_stderr(part)
        rows = measure(part, options)
        print(table(HEADER, rows), flush=True)
        if options.update:
            write_rows(DOCUMENT, "Outages", rows)


def measure(part: str, options: argparse.Namespace) -> list[list[str]]:
    """Return the rows of one part, measured in a folder of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        mnist = write_mnist(folder / "mnist")
        if part == "away":
            return [database_stops(folder, mnist, options.minutes, options.steps)]
        if part == "failover":
            return [database_fails_over(folder, mnist, options.steps)]
        if part == "dropped":
            return connections_are_dropped(folder)
        return [clocks_differ(folder, mnist, options.steps // 3)]


if __name__ == "__main__":
    main()
