"""Image files, normalized; a large JPEG file is decoded at a fraction of its size, by the size of its digit."""

import time
from typing import NamedTuple

from inkling.errors import NoDigitError
from inkling.vision.image_files import PictureLimits, ReducedPicture, decode_reduced
from inkling.vision.normalization import Normalized, enlarge_box
from inkling.vision.normalize import MAX_SIDE, normalize
from inkling.vision.placement import longer_side

REDUCED_SIDE = 384
"""The longer side of a large picture is decoded to as many pixels at first, at least."""
MIN_DIGIT_SIDE = 32
"""If its digit has fewer pixels there, seems to be all of it, or is not found, it is decoded to MAX_SIDE / 2 or more.

By `python -m benchmarks.large_pictures`.
"""


class NormalizedFile(NamedTuple):
    normalized: Normalized
    normalize_s: float
    """Seconds that it took, without decoding."""


def normalize_file(content: bytes, limits: PictureLimits | None = None, name: str = "the image") -> NormalizedFile:
    """Decode an image file of any size, and normalize its picture.

    Raises:
        ImageError: not an image in one of FORMATS, or damaged.
        TooLargeError: a limit is exceeded.
        NoDigitError: the picture is blank, is all foreground or noise, or shows several digits.
    """
    limits = limits or PictureLimits()
    reduced = decode_reduced(content, limits, name, above=MAX_SIDE, side=REDUCED_SIDE)
    started, searched_s = time.perf_counter(), 0.0
    if reduced.step > 1:
        normalized = _normalize_large_digit(reduced)
        searched_s = time.perf_counter() - started
        if normalized is not None:
            return NormalizedFile(normalized, searched_s)
        reduced = decode_reduced(content, limits, name, above=MAX_SIDE, side=MAX_SIDE // 2)
        started = time.perf_counter()
    normalized = enlarge_box(normalize(reduced.gray), reduced.step, reduced.whole_shape)
    return NormalizedFile(normalized, searched_s + time.perf_counter() - started)


def _normalize_large_digit(reduced: ReducedPicture) -> Normalized | None:
    """Normalize a picture at a fraction of its size; None if its digit is too small there, or seems to be all of it."""
    try:
        normalized = normalize(reduced.gray)
    except NoDigitError:
        return None
    box = normalized.report.box
    if box is None or not MIN_DIGIT_SIDE <= longer_side(box) < max(reduced.gray.shape):
        return None
    return enlarge_box(normalized, reduced.step, reduced.whole_shape)
