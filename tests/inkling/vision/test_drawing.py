import numpy as np

from inkling.vision.normalize import normalize
from tests.support.pictures import draw_strokes, put, to_gray_levels


def test_faint_traces_along_the_edges_are_no_strokes() -> None:
    """JPEG leaves such traces where a picture was cut out of another one."""
    canvas = 255 - 245 * put(draw_strokes(6, 112, 10.0), (200, 200), (40, 50))
    plain = normalize(to_gray_levels(canvas))
    canvas[6:9, 6:-6] = canvas[-9:-6, 6:-6] = 250
    canvas[6:-6, 6:9] = canvas[6:-6, -9:-6] = 250
    read = normalize(to_gray_levels(canvas))
    np.testing.assert_array_equal(read.pixels, plain.pixels)
    assert read.report.box == plain.report.box
    assert len(read.alternatives) == 1  # with the traces
