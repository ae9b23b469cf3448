import numpy as np

from inkling.vision.surface import fit_surface


def test_surface_follows_a_quadratic_slope_and_not_the_strokes() -> None:
    y, x = np.meshgrid(np.linspace(-1, 1, 90), np.linspace(-1, 1, 120), indexing="ij")
    paper = 180 + 20 * x - 15 * y + 6 * x * x - 9 * x * y - 4 * y * y
    picture = paper.astype(np.float32)
    picture[30:60, 50:62] -= 120
    surface = fit_surface(picture)
    assert surface.dtype == np.float32
    assert np.abs(surface - paper).max() < 3
