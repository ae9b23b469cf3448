"""The numbers of a page: of every way to divide its strokes into digits, the one that the network is surest of."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from inkling.digit import Box, Floats, Gray, Images
from inkling.network.classifier import Outputs
from inkling.vision.numbers.page import Group, Line, Page, Piece

CUT_COST, DEPTH_COST = 1.5, 5.0
"""Nats: two digits made by a cut must be likelier than one by this, and by this per depth of the cut."""
JOIN_COST, GAP_COST = 1.5, 25.0
"""Nats: one digit made of two strokes as high as digits must be likelier than two by this, and by this per gap."""
NARROW, NARROW_GAIN = 0.5, 3.0
"""A gap narrower than this share of the line's usual one is likelier to be inside of a digit, by so many nats."""
MIN_GAPS = 2
"""Of a line whose usual gap is known."""
ORDINARY_WIDTH, WIDE_COST = 0.75, 12.0
"""Width of a digit, of the height of the line's digits; and nats per square of what is wider."""
ORDINARY_HEIGHT, LOW_COST = 0.6, 6.0
"""Height of a digit, of the height of the line's digits; and nats per what is missing to it."""
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
    space = _space(line, height)
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
        read = list(_read_group(group, images[start:end], outputs.take(range(start, end)), height, space))
        text += "".join(str(digit.digit) for digit in read)
        digits += read
        start = end
    return NumberLine(text, line.box, tuple(digits), tuple(marks))


def _space(line: Line, height: float) -> float:
    """Return the median gap between the digits of a line, as a share of their height; 0 if there are too few."""
    boxes = [group.box for group in line.groups if not group.mark]
    gaps = [max(0, right[0] - left[2]) for left, right in pairwise(boxes)]
    return float(np.median(gaps)) / height if len(gaps) >= MIN_GAPS else 0.0


def _read_group(group: Group, images: Images, outputs: Outputs, height: float, space: float) -> Iterator[Digit]:
    confidences = outputs.probabilities.max(axis=1)
    likelihoods = confidences if outputs.digit_scores is None else confidences * outputs.digit_scores
    scores = [_score(piece, float(p), height, group, space) for piece, p in zip(group.pieces, likelihoods, strict=True)]
    first, *others = best_divisions(group, scores)
    doubtful = {
        i for other in others if first.score - other.score < DOUBT for i in first.pieces if i not in other.pieces
    }
    for i in first.pieces:
        piece, row = group.pieces[i], outputs.probabilities[i]
        digit_score = None if outputs.digit_scores is None else float(outputs.digit_scores[i])
        warnings = _warnings(piece, float(confidences[i]), height, group, is_doubtful=i in doubtful)
        yield Digit(int(row.argmax()), row, piece.box, images[i], warnings, digit_score)


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


def _score(piece: Piece, likelihood: float, height: float, group: Group, space: float) -> float:
    """Return the log-likelihood that a piece is a digit, up to a constant: from the network, and from its shape."""
    left, top, right, bottom = piece.box
    wide = max(0.0, (right - left) / height - ORDINARY_WIDTH)
    low = max(0.0, ORDINARY_HEIGHT - (bottom - top) / height)
    shape = WIDE_COST * wide**2 + LOW_COST * low
    return float(np.log(max(likelihood, MIN_LIKELIHOOD))) - shape - _joint_costs(piece, group.joints, space)


def _joint_costs(piece: Piece, joints: tuple[float, ...], space: float) -> float:
    """Return the cost of the cut at the left side of a piece, if there is one, and of the gaps inside."""
    before = joints[piece.first - 1] if piece.first else 0.0
    cut = CUT_COST + DEPTH_COST * before if before > 0 else 0.0
    gaps = [-joint for joint in joints[piece.first : piece.end - 1] if joint <= 0]
    narrow = sum(max(0.0, 1 - gap / (NARROW * space)) for gap in gaps) if space else 0.0
    return cut + JOIN_COST * len(gaps) + GAP_COST * sum(gaps) - NARROW_GAIN * narrow


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
