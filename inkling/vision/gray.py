"""The gray levels of an opened image file of any mode."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inkling.digit import Gray

STRIP = 256
"""Rows blended at a time: all 40 megapixels at once would need gigabytes."""

HIDDEN_LEVEL = 64
"""Strokes on transparency that are darker than this are hidden by a black background."""


def to_gray(image: Image.Image) -> Gray:
    """Return the gray levels (h, w) of a picture, 0 black to 255 white, behind transparent pixels a level in contrast.

    Pictures of more than 8 bits are scaled by the bits that their values need, so that a 16-bit file that holds 0 to
    255 is not black.
    """
    gray = _opaque_gray(image)
    return _on_visible_background(image.convert("RGBA")) if gray is None else gray


def to_gray_on_black(image: Image.Image) -> Gray:
    """Return the gray levels (h, w) of an image as MNIST stores digits: transparent pixels are black background.

    Dark strokes on transparency would be hidden by it. They become light: such an image is inverted.
    """
    gray = _opaque_gray(image)
    if gray is not None:
        return gray
    rgba = image.convert("RGBA")
    on_black = _on_background(rgba, 0)
    if on_black.max() >= HIDDEN_LEVEL or not _is_mostly_transparent(np.asarray(rgba.getchannel("A"))):
        return on_black
    inverted: Gray = 255 - _on_background(rgba, 255)
    return inverted if inverted.max() > on_black.max() else on_black


def _opaque_gray(image: Image.Image) -> Gray | None:
    """Return the gray levels of a picture, or None if some of its pixels may be transparent."""
    if image.mode == "L" and "transparency" not in image.info:
        return np.asarray(image)
    if image.mode.startswith("I") or image.mode == "F":
        return _to_8_bits(np.asarray(image))
    return None if image.has_transparency_data else np.asarray(image.convert("L"))


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
    background = (0 if typical > 127 else 255) if _is_mostly_transparent(alpha) else round(typical)
    levels = np.empty_like(gray)
    for top in range(0, len(gray), STRIP):
        rows = slice(top, top + STRIP)
        opacity = alpha[rows].astype(np.uint32)
        levels[rows] = (gray[rows] * opacity + background * (255 - opacity) + 127) // 255
    return levels


def _on_background(image: Image.Image, level: int) -> Gray:
    """Return the gray levels of an RGBA picture on a background of one level."""
    behind = Image.new("RGBA", image.size, (level, level, level, 255))
    return np.asarray(Image.alpha_composite(behind, image).convert("L"))


def _is_mostly_transparent(alpha: Gray) -> bool:
    """Return whether so much is transparent that the rest is strokes, not paper."""
    return bool((alpha < 128).mean() > 0.3)
