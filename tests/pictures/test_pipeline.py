import numpy as np

from inkling.vision.normalize import normalize
from tests.pictures.pipeline import CAPTION, GAP, MARGIN, PANEL, draw_pipeline, make_photo, steps


def test_each_step_leaves_less_of_the_photo() -> None:
    panels = steps(make_photo())
    photo, levels, mask, digit, placed = panels.values()
    assert (photo > 0).sum() > (levels > 0).sum() > (mask > 0).sum() > (digit > 0).sum()
    np.testing.assert_array_equal(placed, normalize(photo).pixels)


def test_sheet_shows_each_step_above_its_caption() -> None:
    panels = steps(make_photo())
    sheet = np.asarray(draw_pipeline(panels))
    assert sheet.shape == (2 * MARGIN + PANEL + CAPTION, 2 * MARGIN + 5 * PANEL + 4 * GAP)
    for number, pixels in enumerate(panels.values()):
        left = MARGIN + number * (PANEL + GAP)
        panel = sheet[MARGIN : MARGIN + PANEL, left : left + PANEL]
        step = PANEL // len(pixels)
        np.testing.assert_array_equal(panel[step // 2 :: step, step // 2 :: step], pixels)
        assert sheet[MARGIN + PANEL :, left : left + PANEL].min() < 128  # the caption
