"""Image files, normalized; a large JPEG file is decoded at a fraction of its size, unless its digit is small."""

import contextlib
import time
from dataclasses import asdict
from typing import NamedTuple

from inkling.errors import NoDigitError
from inkling.vision.image_files import PictureLimits, decode_picture, decode_reduced
from inkling.vision.normalization import Normalized, enlarge_box
from inkling.vision.normalize import MAX_SIDE, normalize
from inkling.vision.placement import longer_side

REDUCED_SIDE = 768
"""The longer side of a picture that was decoded at a fraction of its size has as many pixels, at least."""
MIN_DIGIT_SIDE = 40
"""A digit that has fewer pixels on its longer side in such a picture is looked for in the whole one.

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
    started = time.perf_counter()
    if reduced.step == 1:
        return NormalizedFile(normalize(reduced.gray), time.perf_counter() - started)
    with contextlib.suppress(NoDigitError):
        normalized = normalize(reduced.gray)
        box = normalized.report.box
        if box is not None and longer_side(box) >= MIN_DIGIT_SIDE:
            normalized = enlarge_box(normalized, reduced.step, reduced.whole_shape)
            return NormalizedFile(normalized, time.perf_counter() - started)
    searched_s = time.perf_counter() - started
    whole = decode_picture(content, name=name, **asdict(limits))
    started = time.perf_counter()
    return NormalizedFile(normalize(whole), searched_s + time.perf_counter() - started)
