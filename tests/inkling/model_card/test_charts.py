import io
from functools import partial

import numpy as np
import pytest
from matplotlib import rc_context
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from PIL import Image

from inkling.model_card.charts import BLUE, DPI, chart_png, draw_confusion, draw_reliability
from inkling.network.evaluation import CALIBRATION_BINS

MATRIX = (np.eye(10, dtype=int) * 90 + 3).tolist()


def drawn_confusion(matrix: list[list[int]]) -> tuple[NDArray[np.float64], dict[tuple[int, int], str]]:
    """Return the colors (10, 10, 3), 0 to 1, of the cells, and the texts on them by row and column."""
    figure = Figure()
    draw_confusion(figure, matrix)
    (axes,) = figure.axes
    (image,) = axes.images
    texts = {(round(text.get_position()[1]), round(text.get_position()[0])): text.get_text() for text in axes.texts}
    return np.asarray(image.get_array()), texts


def sixty_percent() -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return probabilities (100, 10) of confidence 0.9 and labels (100,) of which they meet 60."""
    probabilities = np.full((100, 10), 0.1 / 9, np.float32)
    probabilities[:, 0] = 0.9
    return probabilities, np.where(np.arange(100) < 60, 0, 1).astype(np.uint8)


def bars(figure: Figure) -> list[Rectangle]:
    return [patch for axes in figure.axes for patch in axes.patches if isinstance(patch, Rectangle)]


def test_confusion_matrix_shades_hits_and_mistakes_in_two_colors() -> None:
    matrix = [[0] * 10 for _ in range(10)]
    matrix[3][3], matrix[4][9], matrix[7][2] = 900, 40, 1
    colors, _ = drawn_confusion(matrix)
    hit, often, seldom, never = (colors[cell] for cell in ((3, 3), (4, 9), (7, 2), (0, 1)))
    assert hit == pytest.approx(to_rgb(BLUE))
    assert never.tolist() == [1, 1, 1]
    assert often[0] > often[2] + 0.3  # orange, and deeper where there are more mistakes
    assert often[2] < seldom[2] < 1


def test_confusion_matrix_writes_each_count_into_its_cell() -> None:
    matrix = [row[:] for row in MATRIX]
    matrix[2][5], matrix[5][2], matrix[7][7] = 2, 0, 1234
    _, texts = drawn_confusion(matrix)
    assert texts[2, 5] == "2"
    assert texts[7, 7] == "1,234"
    assert set(texts) == set(np.ndindex(10, 10)) - {(5, 2)}


def test_confusion_matrix_of_no_mistakes_is_drawn() -> None:
    colors, texts = drawn_confusion((np.eye(10, dtype=int) * 5).tolist())
    assert len(texts) == 10
    assert (colors[~np.eye(10, dtype=np.bool_)] == 1).all()


def test_reliability_diagram_draws_a_bar_as_high_as_the_accuracy() -> None:
    figure = Figure()
    draw_reliability(figure, [("one", *sixty_percent())])
    (bar,) = bars(figure)
    assert bar.get_height() == pytest.approx(0.6)
    assert bar.get_x() < 0.9 < bar.get_x() + bar.get_width()
    assert bar.get_width() < 1 / CALIBRATION_BINS
    assert [text.get_text() for text in figure.axes[0].texts] == ["100"]


def test_reliability_diagrams_stand_side_by_side_under_their_titles() -> None:
    figure = Figure()
    draw_reliability(figure, [("before", *sixty_percent()), ("after", *sixty_percent())])
    assert [axes.get_title() for axes in figure.axes] == ["before", "after"]
    assert len(bars(figure)) == 2


def test_chart_is_the_same_file_twice_and_states_no_version() -> None:
    draw = partial(draw_reliability, panels=[("one", *sixty_percent())])
    content = chart_png(draw, 4, 3)
    assert content == chart_png(draw, 4, 3)
    with Image.open(io.BytesIO(content)) as image:
        assert image.size == (4 * DPI, 3 * DPI)
        assert set(image.info) == {"dpi"}


def test_chart_does_not_depend_on_the_users_settings() -> None:
    draw = partial(draw_confusion, matrix=MATRIX)
    content = chart_png(draw, 3, 3)
    with rc_context({"font.size": 20, "figure.facecolor": "red", "savefig.dpi": 50, "text.color": "green"}):
        assert chart_png(draw, 3, 3) == content
