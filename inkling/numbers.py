"""The numbers of a page: of every way to divide its strokes into digits, the one that the network is surest of."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import log
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inkling.digit import Box, Floats, Gray, Images
from inkling.network.classifier import Outputs
from inkling.vision.numbers.page import Group, Line, Page, Piece

SURENESS, LIKENESS = 0.95, 0.36
"""Weights of the log of the confidence and of the log-odds of the digit score."""
MAX_ODDS = 6.0
"""Of the log-odds: beyond it, surer is not likelier."""
DIGIT_COST = 1.6
"""Nats: what each digit costs."""
CUT_COST, DEPTH_COST = 2.45, 2.15
"""Nats: what a cut costs, and what it costs per its depth."""
ORDINARY_WIDTH, WIDE_COST = 0.75, 3.1
"""Width of a digit, of its height or that of the line's digits; and nats per what is wider."""
ORDINARY_HEIGHT, LOW_COST = 0.8, 2.9
"""Height of a digit, of the height of the line's digits; and nats per what is missing to it."""
WIDTHS = -0.10, -0.86, -0.05, -0.22, -0.22, -0.05, -0.30, -0.25, -0.26, -0.37
WIDTH_DEVIATIONS = 0.18, 0.42, 0.19, 0.20, 0.20, 0.23, 0.18, 0.20, 0.20, 0.18
"""Log of the width over the height of each digit, 0 to 9: mean and deviation of the held-out training images."""
UNUSUAL_COST = 0.35
"""Nats per square of the deviations by which a digit is wider than the usual one of its class.

All of these make the right division of the strokes likeliest, given all divisions: a semi-Markov conditional random
field (S. Sarawagi and W. Cohen, 2004), fitted on 3,100 groups of strokes: drawn around held-out training images, some
touching, and around digits of 21 fonts.
"""
EVIDENCE = 0.3
"""Nats: a digit read with a likelihood of 0.74 or more speaks for its page, any other against it."""
FIRST = 1.0
"""Nats by which the network must be surer of an alternative than of the first page."""
MIN_LIKELIHOOD = 1e-6
DOUBT = 1.0
"""Nats: a digit is doubtful if the second best division of its strokes, without it, is worse by less than this."""
SURE = 0.9
"""A wide digit that is read with less confidence may be several that touch."""
WIDE = 0.9
"""Width of such a digit, of the height of the line's digits."""


@dataclass(frozen=True)
class Digit:
    """One digit of a line."""

    digit: int
    """The most probable one."""
    probabilities: Floats
    """(10,), their sum is 1."""
    box: Box
    """In the picture's pixels."""
    image: Gray
    """(28, 28): what the network read."""
    warnings: tuple[str, ...]
    """One sentence each; mostly none."""
    digit_score: float | None
    """How much it looks like a digit, 0 to 1; None if the checkpoint has no digit probe."""

    def score_fields(self, threshold: float) -> dict[str, bool | float]:
        """Return `is_digit` and `digit_score`, as answers have them; none if there is no score."""
        if self.digit_score is None:
            return {}
        return {"is_digit": self.digit_score >= threshold, "digit_score": self.digit_score}


@dataclass(frozen=True)
class Mark:
    """A decimal point or a minus sign."""

    mark: str
    """"." or "-"."""
    box: Box


@dataclass(frozen=True)
class NumberLine:
    """Digits and marks beside each other."""

    text: str
    """From left to right, with a space where a wide gap lies between two numbers."""
    box: Box
    digits: tuple[Digit, ...]
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Numbers:
    """The numbers of a picture."""

    lines: tuple[NumberLine, ...]
    """From top to bottom."""
    warnings: tuple[str, ...]
    """One sentence each; mostly none."""

    @property
    def text(self) -> str:
        """The text of all lines."""
        return "\n".join(line.text for line in self.lines)


class Division(NamedTuple):
    """A way to divide a group into digits."""

    score: float
    """The sum of the pieces' scores, in nats."""
    pieces: tuple[int, ...]
    """Indices of the group's pieces, from left to right."""


def read_page(read: Callable[[Images], Outputs], page: Page) -> Numbers:
    """Read the digits of a page, or of the alternative that the network is surest of.

    Args:
        read: classifies images (n, 28, 28).
        page: with the image of every piece that may be a digit.
    """
    pages = (page, *page.alternatives)
    outputs = read(np.concatenate([page.images for page in pages]))
    readings, start = [], 0
    for reading in pages:
        rows = range(start, start + len(reading.images))
        readings.append(_read_lines(reading, outputs.take(rows)))
        start = rows.stop
    evidence = [_evidence(reading) for reading in readings]
    evidence[0] += FIRST
    return readings[int(np.argmax(evidence))]


def _read_lines(page: Page, outputs: Outputs) -> Numbers:
    lines, start = [], 0
    for line in page.lines:
        end = start + sum(len(group.pieces) for group in line.groups)
        lines.append(_read_line(line, page.images[start:end], outputs.take(range(start, end))))
        start = end
    return Numbers(tuple(lines), page.warnings)


def _evidence(numbers: Numbers) -> float:
    """Return how sure the network is of the digits of a page, in nats: each adds to it, or takes from it."""
    digits = [digit for line in numbers.lines for digit in line.digits]
    likelihoods = [
        float(digit.probabilities.max()) * (1.0 if digit.digit_score is None else digit.digit_score) for digit in digits
    ]
    return float(np.log(np.maximum(likelihoods, MIN_LIKELIHOOD)).sum()) + EVIDENCE * len(digits)


def _read_line(line: Line, images: Images, outputs: Outputs) -> NumberLine:
    height = float(np.median([group.box[3] - group.box[1] for group in line.groups if not group.mark]))
    text, start = "", 0
    digits: list[Digit] = []
    marks: list[Mark] = []
    for group in line.groups:
        text += " " if group.is_spaced else ""
        if group.mark:
            text += group.mark
            marks.append(Mark(group.mark, group.box))
            continue
        end = start + len(group.pieces)
        read = list(_read_group(group, images[start:end], outputs.take(range(start, end)), height))
        text += "".join(str(digit.digit) for digit in read)
        digits += read
        start = end
    return NumberLine(text, line.box, tuple(digits), tuple(marks))


def _read_group(group: Group, images: Images, outputs: Outputs, height: float) -> Iterator[Digit]:
    confidences = outputs.probabilities.max(axis=1)
    digit_scores = confidences if outputs.digit_scores is None else outputs.digit_scores
    evidence = SURENESS * np.log(confidences) + LIKENESS * _log_odds(digit_scores)
    digits = outputs.probabilities.argmax(axis=1).tolist()
    costs = [_cost(piece, digit, height, group.joints) for piece, digit in zip(group.pieces, digits, strict=True)]
    scores = (evidence - costs).tolist()
    first, *others = best_divisions(group, scores)
    doubtful = {
        i for other in others if first.score - other.score < DOUBT for i in first.pieces if i not in other.pieces
    }
    for i in first.pieces:
        piece, row = group.pieces[i], outputs.probabilities[i]
        digit_score = None if outputs.digit_scores is None else float(outputs.digit_scores[i])
        warnings = _warnings(piece, float(confidences[i]), height, group, is_doubtful=i in doubtful)
        yield Digit(digits[i], row, piece.box, images[i], warnings, digit_score)


def best_divisions(group: Group, scores: list[float]) -> list[Division]:
    """Return the best way to divide a group, and the second best, if there is one: whose scores have the highest sum.

    The pieces of a division are together the whole group, and hold each atom once.
    """
    best: list[list[Division]] = [[Division(0.0, ())], *([] for _ in range(group.atoms))]
    for i in sorted(range(len(scores)), key=lambda i: group.pieces[i].end):
        piece = group.pieces[i]
        longer = [Division(score + scores[i], (*pieces, i)) for score, pieces in best[piece.first]]
        best[piece.end] = sorted([*best[piece.end], *longer], key=lambda division: -division.score)[:2]
    return best[-1]


def _log_odds(probabilities: Floats) -> NDArray[np.float64]:
    least = np.exp(-MAX_ODDS)
    odds = np.maximum(probabilities, least) / np.maximum(1 - probabilities, least)
    return np.log(odds, dtype=np.float64)


def _cost(piece: Piece, digit: int, height: float, joints: tuple[float, ...]) -> float:
    """Return what speaks against a piece as a digit, apart from the network: its shape, and a cut at its left side."""
    left, top, right, bottom = piece.box
    wide = max(0.0, (right - left) / max(height, bottom - top) - ORDINARY_WIDTH)
    low = max(0.0, ORDINARY_HEIGHT - (bottom - top) / height)
    unusual = max(0.0, (log((right - left) / (bottom - top)) - WIDTHS[digit]) / WIDTH_DEVIATIONS[digit])
    depth = joints[piece.first - 1] if piece.first else 0.0
    cut = CUT_COST + DEPTH_COST * depth if depth > 0 else 0.0
    return DIGIT_COST + WIDE_COST * wide + LOW_COST * low + UNUSUAL_COST * unusual**2 + cut


def _warnings(piece: Piece, confidence: float, height: float, group: Group, *, is_doubtful: bool) -> tuple[str, ...]:
    left, _, right, _ = piece.box
    sides = [*group.joints[max(0, piece.first - 1) : piece.first], *group.joints[piece.end - 1 : piece.end]]
    if any(joint > 0 for joint in sides):
        return ("it touches another digit and was divided from it",)
    if is_doubtful:
        return ("its strokes may also be divided into other digits",)
    if confidence < SURE and right - left > WIDE * height:
        return (f"it may be several digits that touch: it is {(right - left) / height:.1f} times as wide as high",)
    return ()
