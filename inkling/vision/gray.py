"""The gray levels of an opened image file of any mode."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inkling.digit import Gray

STRIP = 256
"""Rows blended at a time: all 40 megapixels at once would need gigabytes."""


def to_gray(image: Image.Image, *, background: int | None = None) -> Gray:
    """Return the gray levels (h, w), 0 black to 255 white.

    Pictures of more than 8 bits are scaled by the bits that their values need, so that a 16-bit file that holds 0 to
    255 is not black.

    Args:
        image: of any mode.
        background: the level behind transparent pixels; None: a level that contrasts with the opaque pixels.
    """
    if image.mode == "L" and "transparency" not in image.info:
        return np.asarray(image)
    if image.mode.startswith("I") or image.mode == "F":
        return _to_8_bits(np.asarray(image))
    if not image.has_transparency_data:
        return np.asarray(image.convert("L"))
    rgba = image.convert("RGBA")
    if background is None:
        return _on_visible_background(rgba)
    behind = Image.new("RGBA", rgba.size, (background, background, background, 255))
    return np.asarray(Image.alpha_composite(behind, rgba).convert("L"))


def _to_8_bits(deep: NDArray[np.generic]) -> Gray:
    """Return the levels of a picture scaled to 0 to 255, by the 8, 10, 12, 14 or 16 bits that its values need."""
    levels = deep.astype(np.float32)
    bits = next((bits for bits in (8, 10, 12, 14) if levels.max() < 1 << bits), 16)
    if bits == 16 and deep.dtype.kind in "iu":
        return (np.clip(deep.astype(np.int64), 0, 65_535) >> 8).astype(np.uint8)
    scaled: Gray = np.rint(np.clip(levels, 0, None) * np.float32(255 / ((1 << bits) - 1))).astype(np.uint8)
    return scaled


def _on_visible_background(image: Image.Image) -> Gray:
    """Return the levels of an RGBA picture, blended onto a background that contrasts with its opaque pixels.

    If more than 30 % is transparent, the opaque part is the foreground, and its polarity is decided here: the
    background becomes black under a light foreground and white under a dark one. If less is (rounded corners), the
    opaque part is the paper, and its typical level fills the rest.
    """
    gray, alpha = np.asarray(image.convert("L")), np.asarray(image.getchannel("A"))
    opaque = gray[alpha > 127]
    if not len(opaque):
        opaque = gray[alpha > 0] if alpha.any() else np.zeros(1, np.uint8)
    typical = float(np.median(opaque))
    is_foreground = (alpha < 128).mean() > 0.3
    background = (0 if typical > 127 else 255) if is_foreground else round(typical)
    levels = np.empty_like(gray)
    for top in range(0, len(gray), STRIP):
        rows = slice(top, top + STRIP)
        opacity = alpha[rows].astype(np.uint32)
        levels[rows] = (gray[rows] * opacity + background * (255 - opacity) + 127) // 255
    return levels
