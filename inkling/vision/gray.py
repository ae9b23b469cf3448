"""The gray levels of an opened image file of any mode."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inkling.digit import Gray

STRIP_PIXELS = 1 << 18
"""Pixels converted at a time: beside the decoded picture, only its gray levels are whole in memory."""

MOSTLY = 0.3
"""If a larger share of a picture is transparent, the rest is strokes, not paper."""
HIDDEN_LEVEL = 64
"""Strokes on transparency that are darker than this are hidden by a black background."""


def to_gray(image: Image.Image) -> Gray:
    """Return the gray levels (h, w) of a picture, 0 black to 255 white, behind transparent pixels a level in contrast.

    Pictures of more than 8 bits are scaled by the bits that their values need, so that a 16-bit file that holds 0 to
    255 is not black.
    """
    gray = _opaque_gray(image)
    return _on_visible_background(image) if gray is None else gray


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
        return _collect(image, (np.asarray(strip) for strip in _strips(image)))
    if image.mode.startswith("I") or image.mode == "F":
        return _to_8_bits(image)
    if image.has_transparency_data:
        return None
    return _collect(image, (np.asarray(strip.convert("L")) for strip in _strips(image)))


def _strips(image: Image.Image) -> Iterator[Image.Image]:
    """Yield the picture from top to bottom in strips of some rows."""
    width, height = image.size
    rows = max(1, STRIP_PIXELS // width)
    for top in range(0, height, rows):
        yield image.crop((0, top, width, min(top + rows, height)))


def _collect(image: Image.Image, strips: Iterator[NDArray[Any]]) -> Gray:
    """Return the gray levels (h, w) of which an iterator yields strips."""
    width, height = image.size
    gray = np.empty((height, width), np.uint8)
    top = 0
    for strip in strips:
        gray[top : top + len(strip)] = strip
        top += len(strip)
    return gray


def _to_8_bits(image: Image.Image) -> Gray:
    """Return the levels of a picture scaled to 0 to 255, by the 8, 10, 12, 14 or 16 bits that its values need."""
    highest = max(float(np.asarray(strip).max()) for strip in _strips(image))
    bits = next((bits for bits in (8, 10, 12, 14) if highest < 1 << bits), 16)

    def scaled(deep: NDArray[Any]) -> NDArray[Any]:
        if bits == 16 and deep.dtype.kind in "iu":
            return np.clip(deep.astype(np.int64), 0, 65_535) >> 8
        levels: NDArray[Any] = np.rint(np.clip(deep.astype(np.float32), 0, None) * np.float32(255 / ((1 << bits) - 1)))
        return levels

    return _collect(image, (scaled(np.asarray(strip)) for strip in _strips(image)))


def _on_visible_background(image: Image.Image) -> Gray:
    """Return the levels of a picture with transparency, on a background that contrasts with its opaque pixels.

    If more than 30 % is transparent, the opaque part is the foreground, and its polarity is decided here: the
    background becomes black under a light foreground and white under a dark one. If less is (rounded corners), the
    opaque part is the paper, and its typical level fills the rest.
    """
    counts = np.zeros((256, 256), np.int64)  # of the pixels by opacity and gray level
    for gray, alpha in _gray_and_alpha(image):
        counts += np.bincount(alpha * np.uint16(256) + gray, minlength=65_536).reshape(256, 256)
    opaque = counts[128:].sum(axis=0)
    if not opaque.any():
        opaque = counts[1:].sum(axis=0)
    typical = _median(opaque) if opaque.any() else 0.0
    is_mostly_transparent = counts[:128].sum() > MOSTLY * counts.sum()
    background = (0 if typical > 127 else 255) if is_mostly_transparent else round(typical)

    def blended(gray: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[Any]:
        opacity = alpha.astype(np.uint32)
        levels: NDArray[Any] = (gray * opacity + background * (255 - opacity) + 127) // 255
        return levels.reshape(-1, image.width)

    return _collect(image, (blended(gray, alpha) for gray, alpha in _gray_and_alpha(image)))


def _gray_and_alpha(image: Image.Image) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Yield the gray levels and the opacities (n,) of the pixels in each strip."""
    for strip in _strips(image):
        rgba = strip.convert("RGBA")
        yield np.asarray(rgba.convert("L")).ravel(), np.asarray(rgba.getchannel("A")).ravel()


def _median(counts: NDArray[np.int64]) -> float:
    """Return the median of gray levels, given how many pixels have each (256,)."""
    until = counts.cumsum()  # (256,)
    middle = [int(np.searchsorted(until, rank, side="right")) for rank in ((until[-1] - 1) // 2, until[-1] // 2)]
    return sum(middle) / 2


def _on_background(image: Image.Image, level: int) -> Gray:
    """Return the gray levels of an RGBA picture on a background of one level."""
    behind = Image.new("RGBA", image.size, (level, level, level, 255))
    return np.asarray(Image.alpha_composite(behind, image).convert("L"))


def _is_mostly_transparent(alpha: Gray) -> bool:
    """Return whether so much is transparent that the rest is strokes, not paper."""
    return bool((alpha < 128).mean() > MOSTLY)
