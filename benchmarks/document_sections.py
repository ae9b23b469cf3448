"""Sections of a document that a benchmark writes: the table below a heading."""

import re
from collections.abc import Sequence
from pathlib import Path

from inkling.model_card.markdown import table

Rows = Sequence[Sequence[str]]


def write_rows(document: Path, heading: str, rows: Rows) -> None:
    """Write rows into the first table below a heading.

    A row takes the place of the one with the same first cell; a new one is added at the end.

    Raises:
        ValueError: there is no such table.
    """
    text = document.read_text()
    found = re.search(rf"^#+ {re.escape(heading)}\n[\s\S]*?\n((?:\|.*\n)+)", text, re.MULTILINE)
    if found is None:
        raise ValueError(f"{document} has no table below the heading {heading!r}")
    header, _, *present = [_cells(line) for line in found[1].splitlines()]
    new = {row[0]: list(row) for row in rows}
    kept = [new.pop(row[0], row) for row in present]
    written = table(header, [*kept, *new.values()])
    document.write_text(f"{text[: found.start(1)]}{written}\n{text[found.end(1) :]}")


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]
