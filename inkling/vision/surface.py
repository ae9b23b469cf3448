"""The surface of the paper: the gray levels of a picture without its strokes, if light changes smoothly."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inkling.digit import SIDE, Floats
from inkling.vision.order_statistics import median


def fit_surface(gray: Floats) -> Floats:
    """Return the quadratic surface (h, w) that fits most pixels: least absolute deviations, by reweighting."""
    small = downscale(gray, SIDE)
    values = small.ravel().astype(np.float64)
    terms = _quadratic_terms(*small.shape)
    fitted: NDArray[Any] = np.full(len(values), median(values))
    factors = np.zeros(6)
    for _ in range(8):
        weights = 1 / np.maximum(np.abs(values - fitted), 2)
        weighted = terms * weights[:, None]
        factors = np.linalg.solve(weighted.T @ terms + 1e-9 * np.eye(6), weighted.T @ values)
        fitted = terms @ factors
    return _quadratic_surface(factors, *gray.shape)


def _quadratic_surface(factors: NDArray[np.float64], height: int, width: int) -> Floats:
    """Return the sum of `_quadratic_terms` (h, w), each times its factor."""
    constant, of_x, of_y, of_xx, of_xy, of_yy = factors
    y, x = _pixel_centers(height)[:, None], _pixel_centers(width)
    surface: NDArray[np.float64] = (of_x + of_xy * y) * x  # (h, w)
    surface += of_xx * x * x
    surface += constant + of_y * y + of_yy * y * y
    return surface.astype(np.float32)


def _quadratic_terms(height: int, width: int) -> NDArray[np.float64]:
    """Return 1, x, y, xx, xy, yy at the centers of pixels (h * w, 6), from -1 to 1."""
    y, x = np.meshgrid(_pixel_centers(height), _pixel_centers(width), indexing="ij")
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)


def _pixel_centers(count: int) -> NDArray[np.float64]:
    return np.linspace(1 / count - 1, 1 - 1 / count, count)


def downscale(gray: Floats, side: int) -> Floats:
    """Return the picture with a longer side of about `side` pixels, if it is larger."""
    height, width = gray.shape
    if max(height, width) <= side:
        return gray
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(gray).resize(size, Image.Resampling.BOX))
