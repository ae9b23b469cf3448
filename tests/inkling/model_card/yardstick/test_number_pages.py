import numpy as np
import pytest

from inkling.mnist import Split
from inkling.model_card.yardstick.number_pages import BACKGROUNDS, LENGTHS, number_pages
from tests.support.digits import make_digits

SCANNED = Split(*make_digits(20, seed=6))


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_page_holds_a_number_of_every_length(background: str) -> None:
    for length in LENGTHS:
        (page,) = number_pages(background, length, 1, SCANNED)
        assert len(page.digits) == length
        assert page.digits.isdigit()
        assert page.picture.dtype == np.uint8
        assert 50 < page.picture.shape[0] < page.picture.shape[1] * 1.3


def test_digits_of_a_number_are_apart() -> None:
    for page in number_pages("white", 5, 10, SCANNED):
        covered = page.picture.min(axis=0) < 200
        runs = int((np.diff(covered.astype(int)) == 1).sum()) + int(covered[0])
        assert runs >= 5


def test_same_seed_gives_the_same_pages() -> None:
    one, again, other = (number_pages("lined", 3, 2, SCANNED, seed)[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.picture, again.picture)
    assert one.picture.shape != other.picture.shape or (one.picture != other.picture).any()


def test_gray_page_is_gray() -> None:
    for page in number_pages("gray", 2, 5, SCANNED):
        assert 120 < np.median(page.picture) < 230
