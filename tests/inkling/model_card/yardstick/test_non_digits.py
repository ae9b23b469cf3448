import numpy as np
import pytest

from inkling.model_card.yardstick.non_digits import NON_DIGITS, RELATED, non_digits


def test_there_are_twelve_kinds() -> None:
    assert len(NON_DIGITS) == 12


@pytest.mark.parametrize("kind", [*NON_DIGITS, *RELATED])
def test_pictures_are_gray_and_the_same_for_the_same_seed_only(kind: str) -> None:
    pictures = non_digits(kind, 8)
    assert all(picture.dtype == np.uint8 and picture.shape == (200, 200) for picture in pictures)
    assert all(np.ptp(picture) > 25 for picture in pictures)
    again, others = non_digits(kind, 8), non_digits(kind, 8, seed=1)
    assert all(np.array_equal(a, b) for a, b in zip(pictures, again, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(pictures, others, strict=True))


def test_half_of_the_drawings_are_light_on_dark() -> None:
    assert [int(picture[0, 0]) for picture in non_digits("hearts", 4)] == [0, 255, 0, 255]
