import io

import numpy as np
import pytest
from PIL import Image

from inkling.model_card.file_variants import FILES, kept
from inkling.vision.image_files import decode_picture
from tests.support.digits import make_digits

DIGITS = make_digits(5, seed=3)[0]


@pytest.mark.parametrize("name", FILES)
def test_every_kind_is_an_image_file_and_the_same_every_time(name: str) -> None:
    files = kept(name, DIGITS)
    assert len(files) == 5
    assert kept(name, DIGITS) == files
    for file in files:
        with Image.open(io.BytesIO(file)) as image:
            image.load()


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("palette", "P"),
        ("palette, transparent ground", "P"),
        ("transparent, black ink", "RGBA"),
        ("16 bits", "I;16"),
        ("CMYK", "CMYK"),
    ],
)
def test_file_has_the_mode_that_its_name_says(name: str, mode: str) -> None:
    with Image.open(io.BytesIO(kept(name, DIGITS)[0])) as image:
        assert image.mode == mode


@pytest.mark.parametrize("orientation", range(1, 9))
def test_oriented_file_shows_the_same_upright_digit(orientation: int) -> None:
    for file, plain in zip(
        kept(f"EXIF orientation {orientation}", DIGITS), kept("EXIF orientation 1", DIGITS), strict=True
    ):
        np.testing.assert_allclose(
            decode_picture(file, 10_000).astype(float), decode_picture(plain, 10_000).astype(float), atol=40
        )
