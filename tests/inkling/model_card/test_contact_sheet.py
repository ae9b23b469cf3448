import io

import numpy as np
from PIL import Image

from inkling.model_card.contact_sheet import contact_sheet
from inkling.vision.image_files import png_bytes


def test_sheet_enlarges_small_pictures_by_whole_pixels_and_reduces_large_ones() -> None:
    small, large = np.eye(28, dtype=np.uint8) * 255, np.full((400, 300), 85, np.uint8)
    result = np.asarray(contact_sheet([small, large], ["", ""], columns=5, tile=84).convert("L"), int)
    np.testing.assert_allclose(result[6:90, 6:90], np.kron(small, np.ones((3, 3))), atol=9)
    assert (np.abs(result[6:90, 110:150] - 85) < 9).all()


def test_sheet_has_room_for_captions_and_titles_only_where_there_are_some() -> None:
    blank = [np.full((28, 28), 255, np.uint8)] * 4
    plain = contact_sheet(blank, [""] * 4, columns=2, tile=56)
    captioned = contact_sheet(blank, ["a", "", "", ""], columns=2, tile=56)
    titled = contact_sheet(blank, [""] * 4, columns=2, tile=56, row_titles=["one", "two"])
    assert captioned.width == plain.width
    assert captioned.height > plain.height
    assert titled.width > plain.width
    assert titled.height == plain.height


def test_sheet_is_a_small_file_and_the_same_twice() -> None:
    picture = contact_sheet([np.arange(784, dtype=np.uint8).reshape(28, 28)] * 20, [""] * 20, columns=5, tile=56)
    content = png_bytes(picture)
    assert content == png_bytes(picture)
    assert len(content) < 10_000
    with Image.open(io.BytesIO(content)) as image:
        assert (image.format, image.size) == ("PNG", picture.size)
