"""Pages: digits as people photograph, scan and send them, each kind in three strengths, from a seed."""

import io
import zlib
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from inkling.digit import Gray
from inkling.model_card.yardstick import paper, surroundings
from inkling.model_card.yardstick.handwriting import Digit

PLAIN = "plain"
STRENGTHS = ("light", "medium", "strong")
"""The names of the strengths 0, 1 and 2."""
JPEG_SHARE = 0.5
"""Share of the pages that have been a JPEG of quality 50 to 92."""

PAGE_KINDS: dict[str, Callable[[Digit, int, np.random.Generator], Gray]] = {
    "bars": surroundings.add_bars,
    "white page": surroundings.put_on_white_page,
    "gray page": surroundings.put_on_gray_page,
    "dark page": surroundings.put_on_dark_page,
    "screenshot": surroundings.take_screenshot,
    "frame": surroundings.frame,
    "form cell": surroundings.put_in_cell,
    "soft shadow": paper.shadow_softly,
    "hard shadow": paper.shadow_sharply,
    "vignette": paper.vignette,
    "fold": paper.fold,
    "gray sheet on white": paper.put_on_white,
    "ruled paper": paper.rule,
    "squared paper": paper.square,
    "dotted paper": paper.dot,
    "sheet of 900x700": paper.fill_sheet,
}
"""Every kind by its name in the model card, in the order of the card."""


def plain_pages(digits: Sequence[Digit], seed: int = 0) -> list[Gray]:
    """Return each digit as a drawing program saves it: black on white."""
    return [paper.canvas(digit, _random(PLAIN, 0, seed, i)).gray() for i, digit in enumerate(digits)]


def pages(kind: str, strength: int, digits: Sequence[Digit], seed: int = 0) -> list[Gray]:
    """Return a page (h, w), 0 black to 255 white, for each digit; the same seed gives the same pages."""
    drawn = []
    for i, digit in enumerate(digits):
        random = _random(kind, strength, seed, i)
        page = PAGE_KINDS[kind](digit, strength, random)
        drawn.append(_as_jpeg(page, int(random.integers(50, 93))) if random.random() < JPEG_SHARE else page)
    return drawn


def _random(kind: str, strength: int, seed: int, i: int) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(kind.encode()), strength, i])


def _as_jpeg(gray: Gray, quality: int) -> Gray:
    file = io.BytesIO()
    Image.fromarray(gray).save(file, "JPEG", quality=quality)
    with Image.open(file) as picture:
        return np.asarray(picture)
