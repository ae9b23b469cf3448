"""The picture inside a picture, after all borders and printed boxes around it, one inside the other, are removed."""

from dataclasses import dataclass

from inkling.digit import SIDE, Box, Floats, Gray
from inkling.vision.frames import find_cell
from inkling.vision.page_borders import find_inner_picture

MAX_BORDERS = 8
"""Borders one inside the other that are removed, at most: bars, a page, its frame, a shadow."""
BORDER_WARNING = "a border around the picture was removed"
BOX_WARNING = "a printed box was removed"


@dataclass(frozen=True)
class Uncovered:
    """What borders and boxes surrounded."""

    gray: Gray | Floats
    """(h, w)"""
    left: int
    """Pixels of the whole picture to the left of it."""
    top: int
    """Pixels of the whole picture above it."""
    warnings: tuple[str, ...]
    is_sure: bool
    """Whether nothing removed may have been a stroke."""
    is_all: bool
    """Whether no border is left inside; else the next one may be a stroke."""

    @property
    def box(self) -> Box:
        """Return its box in the whole picture's pixels."""
        height, width = self.gray.shape
        return self.left, self.top, self.left + width, self.top + height


def uncover(gray: Gray | Floats) -> Uncovered | None:
    """Return the picture inside all borders and boxes of a picture (h, w); None if it has none.

    After borders that surely are none of its strokes, one that may be is left: it does not make those doubtful.

    Pictures of MNIST's own size or less have none: there, a line along the edge is a stripe.
    """
    left = top = 0
    warnings: tuple[str, ...] = ()
    is_sure = is_all = True
    inner = gray
    for _ in range(MAX_BORDERS):
        if max(inner.shape) <= SIDE:
            break
        border = find_inner_picture(inner)
        if border is not None and warnings and is_sure and not border.is_sure:
            is_all = False
            break
        if border is not None:
            x, y, right, bottom = border.box
            inner = inner[y:bottom, x:right]
            is_sure &= border.is_sure
            warning = BOX_WARNING if border.is_frame else BORDER_WARNING
        else:
            cell = find_cell(inner)
            if cell is None:
                break
            inner, (x, y, _, _), warning = cell.gray, cell.box, BOX_WARNING
            is_sure &= cell.is_sure
        left, top = left + x, top + y
        warnings += () if warning in warnings else (warning,)
    return Uncovered(inner, left, top, warnings, is_sure, is_all) if warnings else None
