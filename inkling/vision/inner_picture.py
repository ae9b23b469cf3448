"""The picture inside a picture, after all borders and printed boxes around it, one inside the other, are removed."""

from dataclasses import dataclass

from inkling.digit import SIDE, Box, Floats, Gray
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

    @property
    def box(self) -> Box:
        """Return its box in the whole picture's pixels."""
        height, width = self.gray.shape
        return self.left, self.top, self.left + width, self.top + height


def uncover(gray: Gray | Floats) -> Uncovered | None:
    """Return the picture inside all borders and boxes of a picture (h, w); None if it has none.

    Pictures of MNIST's own size or less have none: there, a line along the edge is a stripe.
    """
    left = top = 0
    warnings: tuple[str, ...] = ()
    is_sure = True
    inner = gray
    for _ in range(MAX_BORDERS):
        if max(inner.shape) <= SIDE:
            break
        found = find_inner_picture(inner)
        if found is None:
            break
        x, y, right, bottom = found.box
        inner = inner[y:bottom, x:right]
        left, top = left + x, top + y
        is_sure &= found.is_sure
        warning = BOX_WARNING if found.is_frame else BORDER_WARNING
        warnings += () if warning in warnings else (warning,)
    return Uncovered(inner, left, top, warnings, is_sure) if warnings else None
