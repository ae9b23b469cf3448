"""The page: what a picture with numbers holds, before the network has read its digits."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from inkling.digit import SIDE, Box, Images

MAX_DIGITS = 256
"""Digits of a picture, at most."""
MAX_ALTERNATIVES = 7
"""Readings of a picture beside its first one."""
MAX_PIECES = 4096
"""Images of a picture, at most: a group of strokes has one for each digit that it may hold."""


@dataclass(frozen=True)
class Piece:
    """A part of a group of strokes that may be one digit. Its image is in the page's `images`."""

    first: int
    end: int
    """It consists of the group's atoms from `first` to before `end`."""
    box: Box


@dataclass(frozen=True)
class Group:
    """Strokes that touch or nearly touch: one digit, or several. Or a mark."""

    box: Box
    mark: str = ""
    """"." or "-"; empty for digits."""
    joints: tuple[float, ...] = ()
    """Between neighbors of its smallest parts, the atoms: what a cut crosses, as a share of the height of the line's
    digits; 0 for a gap."""
    pieces: tuple[Piece, ...] = ()
    """Any digit that it may hold; each atom alone is one of them."""
    is_spaced: bool = False
    """Whether a gap as between two numbers is before it."""

    @property
    def atoms(self) -> int:
        """How many parts it may be divided into; 0 for a mark."""
        return 0 if self.mark else len(self.joints) + 1


@dataclass(frozen=True)
class Line:
    box: Box
    groups: tuple[Group, ...]
    """From left to right."""


@dataclass(frozen=True)
class Page:
    images: Images
    """(n, 28, 28): the pieces of all digits, in order, each placed by MNIST's rule."""
    lines: tuple[Line, ...]
    """From top to bottom."""
    warnings: tuple[str, ...]
    """One sentence each."""
    alternatives: tuple["Page", ...] = ()
    """What else the picture may hold, MAX_ALTERNATIVES at most, which have none themselves.

    Here nothing chooses among them: the network does, in `inkling.numbers`.
    """

    def to_fields(self) -> dict[str, Any]:
        """Return all but alternatives and images, which are only counted, as JSON can express it."""
        return {"images": len(self.images), "lines": [asdict(line) for line in self.lines], "warnings": self.warnings}

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any], images: Images) -> "Page":
        """Return the page of which `to_fields` was sent as JSON, from a process that may have been taken over.

        Raises:
            ValueError: the fields contradict each other, or exceed the limits.
        """
        lines = tuple(Line(_box(line["box"]), tuple(map(_group, line["groups"]))) for line in fields["lines"])
        pieces = sum(len(group.pieces) for line in lines for group in line.groups)
        if images.shape != (pieces, SIDE, SIDE) or not 0 < pieces <= MAX_PIECES:
            raise ValueError(f"{pieces} pieces and images {images.shape}")
        return cls(images, lines, tuple(map(str, fields["warnings"])))


def _group(fields: Mapping[str, Any]) -> Group:
    pieces = tuple(Piece(int(item["first"]), int(item["end"]), _box(item["box"])) for item in fields["pieces"])
    group = Group(
        _box(fields["box"]),
        str(fields["mark"]),
        tuple(map(float, fields["joints"])),
        pieces,
        bool(fields["is_spaced"]),
    )
    is_valid = all(0 <= piece.first < piece.end <= group.atoms and _has_pixels(piece.box) for piece in pieces)
    singles = [piece.first for piece in pieces if piece.end == piece.first + 1]
    if not is_valid or singles != list(range(group.atoms)) or bool(pieces) == bool(group.mark):
        raise ValueError(f"a group of {group.atoms} atoms in {len(pieces)} pieces")
    return group


def _has_pixels(box: Box) -> bool:
    left, top, right, bottom = box
    return left < right and top < bottom


def _box(sides: Any) -> Box:
    left, top, right, bottom = map(int, sides)
    return left, top, right, bottom


def union_of_boxes(boxes: Any) -> Box:
    """Return the box around boxes (n, 4), at least one."""
    sides = np.asarray(boxes)
    return _box((*sides[:, :2].min(axis=0), *sides[:, 2:].max(axis=0)))
