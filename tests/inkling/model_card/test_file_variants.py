import io

import numpy as np
import pytest
from PIL import Image

from inkling.model_card.file_variants import FILE_VARIANTS, file_variants
from inkling.vision.image_files import decode_picture
from tests.support.digits import make_digits

DIGITS = make_digits(5, seed=3)[0]


@pytest.mark.parametrize("name", FILE_VARIANTS)
def test_every_variant_is_an_image_file_and_the_same_every_time(name: str) -> None:
    files = file_variants(name, DIGITS)
    assert len(files) == 5
    assert file_variants(name, DIGITS) == files
    for file in files:
        with Image.open(io.BytesIO(file)) as image:
            image.load()


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("palette", "P"),
        ("palette, transparent background", "P"),
        ("transparent, black digit", "RGBA"),
        ("16 bits", "I;16"),
        ("CMYK", "CMYK"),
    ],
)
def test_file_has_the_mode_that_its_name_says(name: str, mode: str) -> None:
    with Image.open(io.BytesIO(file_variants(name, DIGITS)[0])) as image:
        assert image.mode == mode


@pytest.mark.parametrize("orientation", range(1, 9))
def test_oriented_file_shows_the_same_upright_digit(orientation: int) -> None:
    for file, plain in zip(
        file_variants(f"EXIF orientation {orientation}", DIGITS),
        file_variants("EXIF orientation 1", DIGITS),
        strict=True,
    ):
        np.testing.assert_allclose(
            decode_picture(file, 10_000).astype(float), decode_picture(plain, 10_000).astype(float), atol=40
        )


@pytest.mark.parametrize(
    ("name", "levels"),
    [
        ("dark digit, uneven light", [121, 122, 123]),
        ("light digit, uneven light", [28, 29, 30]),
        ("gray paper of level 90, noisy", [88, 95, 87]),
        ("gray paper of level 140, noisy", [152, 133, 144]),
        ("gray paper of level 200, noisy", [198, 195, 174]),
    ],
)
def test_renamed_variant_makes_the_files_of_its_first_name(name: str, levels: list[int]) -> None:
    (file,) = file_variants(name, np.zeros((1, 28, 28), np.uint8))
    assert decode_picture(file)[70, 30:33].tolist() == levels
