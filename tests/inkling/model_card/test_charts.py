import io

import numpy as np
import pytest
from PIL import Image

from inkling.model_card.charts import BLUE, CELL, GUTTER, PLOT, confusion_picture, png, reliability_picture, sheet

MATRIX = (np.eye(10, dtype=int) * 90 + 3).tolist()


def cell(picture: Image.Image, i: int, j: int) -> tuple[int, ...]:
    """Return the color near the corner of a cell of the confusion matrix."""
    pixel = picture.convert("RGB").getpixel((GUTTER + j * CELL + 4, GUTTER + i * CELL + 4))
    assert isinstance(pixel, tuple)
    return pixel


def test_confusion_matrix_shades_hits_and_mistakes_in_two_colors() -> None:
    matrix = [[0] * 10 for _ in range(10)]
    matrix[3][3], matrix[4][9], matrix[7][2] = 900, 40, 1
    picture = confusion_picture(matrix)
    hit, often, seldom, never = (cell(picture, i, j) for i, j in ((3, 3), (4, 9), (7, 2), (0, 1)))
    assert hit == pytest.approx(BLUE, abs=12)
    assert never == (255, 255, 255)
    assert often[0] > often[2] + 80  # orange, and the deeper the oftener
    assert often[2] < seldom[2] < 255


def test_confusion_matrix_writes_each_count_into_its_cell() -> None:
    other = [row[:] for row in MATRIX]
    other[2][5] = 2
    before, after = (np.asarray(confusion_picture(matrix).convert("L"), int) for matrix in (MATRIX, other))
    rows, columns = np.nonzero(np.abs(before - after) > 100)  # what is written, not the ground under it
    assert len(rows)
    assert set((rows - GUTTER) // CELL) == {2}
    assert set((columns - GUTTER) // CELL) == {5}


def test_reliability_diagram_draws_a_bar_as_high_as_the_accuracy() -> None:
    probabilities = np.full((100, 10), 0.1 / 9, np.float32)
    probabilities[:, 0] = 0.9
    labels = np.where(np.arange(100) < 60, 0, 1).astype(np.uint8)  # sure of 0.9, right in 0.6
    picture = np.asarray(reliability_picture([("one", probabilities, labels)]).convert("RGB"), int)
    is_blue = (np.abs(picture - BLUE) < 20).all(axis=2)
    assert is_blue.sum(axis=0).max() == pytest.approx(0.6 * PLOT, rel=0.1)
    two = reliability_picture([("one", probabilities, labels), ("two", probabilities, labels)])
    assert two.width == 2 * picture.shape[1]


def test_sheet_enlarges_small_pictures_by_whole_pixels_and_reduces_large_ones() -> None:
    small, large = np.eye(28, dtype=np.uint8) * 255, np.full((400, 300), 85, np.uint8)
    result = np.asarray(sheet([small, large], ["", ""], columns=5, tile=84).convert("L"), int)
    np.testing.assert_allclose(result[6:90, 6:90], np.kron(small, np.ones((3, 3))), atol=9)
    assert (np.abs(result[6:90, 110:150] - 85) < 9).all()


def test_sheet_has_room_for_captions_and_titles_only_where_there_are_some() -> None:
    blank = [np.full((28, 28), 255, np.uint8)] * 4
    plain = sheet(blank, [""] * 4, columns=2, tile=56)
    captioned = sheet(blank, ["a", "", "", ""], columns=2, tile=56)
    titled = sheet(blank, [""] * 4, columns=2, tile=56, row_titles=["one", "two"])
    assert captioned.width == plain.width
    assert captioned.height > plain.height
    assert titled.width > plain.width
    assert titled.height == plain.height


def test_png_is_small_and_the_same_twice() -> None:
    picture = sheet([np.arange(784, dtype=np.uint8).reshape(28, 28)] * 20, [""] * 20, columns=5, tile=56)
    content = png(picture)
    assert content == png(picture)
    assert len(content) < 10_000
    with Image.open(io.BytesIO(content)) as image:
        assert (image.format, image.size) == ("PNG", picture.size)
