"""Markdown paragraphs, tables and phrases."""

import textwrap
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

WIDTH = 120


def paragraph(text: str) -> str:
    """Return text as one paragraph, wrapped at WIDTH."""
    return textwrap.fill(" ".join(text.split()), WIDTH, break_long_words=False, break_on_hyphens=False)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; columns of numbers are right-aligned."""
    is_numeric = [all(row[i].strip("*").replace(",", "")[:1].isdigit() for row in rows) for i in range(len(header))]
    rule = ["---:" if is_right else "---" for is_right in is_numeric]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def bold(cells: Sequence[str]) -> list[str]:
    return [f"**{cell}**" for cell in cells]


def counted(count: int, noun: str) -> str:
    """Return "1 picture", "2 pictures"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def confusions(labels: NDArray[np.integer], digits: NDArray[np.integer]) -> str:
    """Return the five most frequent confusions in words, most frequent first."""
    pairs, counts = np.unique(np.stack([labels, digits]).astype(np.int64), axis=1, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:5]
    return ", ".join(f"{pairs[0, i]} as {pairs[1, i]} ({counts[i]})" for i in order) or "nothing"
