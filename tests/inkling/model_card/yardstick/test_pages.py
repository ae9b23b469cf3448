import numpy as np
import pytest

from inkling.mnist import Split
from inkling.model_card.yardstick.handwriting import DrawnDigit, ScannedDigit, mixed_digits
from inkling.model_card.yardstick.pages import PAGE_KINDS, STRENGTHS, pages, plain_pages
from tests.support.digits import make_digits

SCANNED = Split(*make_digits(20, seed=6))
DIGITS = mixed_digits(SCANNED, 4, seed=1)


def test_every_second_digit_is_a_scan() -> None:
    assert [type(digit) for digit in DIGITS] == [ScannedDigit, DrawnDigit] * 2
    assert mixed_digits(SCANNED, 2, seed=1)[1].label == DIGITS[1].label  # however many are asked for


@pytest.mark.parametrize("height", [16, 90])
def test_digit_fills_the_height_asked_for(height: int) -> None:
    for digit in DIGITS:
        coverage = digit.coverage(height)
        assert coverage.shape[0] == height
        assert 0 <= coverage.min() < 0.1
        assert 0.9 < coverage.max() <= 1
        assert coverage[:2].max() > 0.2  # cropped to the strokes
        assert coverage[:, :2].max() > 0.2


@pytest.mark.parametrize("kind", PAGE_KINDS)
@pytest.mark.parametrize("strength", range(len(STRENGTHS)))
def test_page_is_gray_and_the_same_for_the_same_seed_only(kind: str, strength: int) -> None:
    one, again, other = (pages(kind, strength, DIGITS, seed) for seed in (0, 0, 1))
    for page in one:
        assert page.dtype == np.uint8
        assert page.ndim == 2
        assert min(page.shape) >= 56
        assert max(page.shape) < 2000
        assert int(page.max()) - int(page.min()) > 60
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_plain_page_is_black_on_white() -> None:
    for page in plain_pages(DIGITS):
        assert (page[0] == 255).all()
        assert page.min() < 30


def test_stronger_bars_take_more_of_the_screen() -> None:
    shares = [np.mean([(page < 30).mean() for page in pages("bars", strength, DIGITS)]) for strength in range(3)]
    assert shares[0] < shares[1] < shares[2]


@pytest.mark.parametrize("kind", ["soft shadow", "hard shadow", "vignette", "ruled paper", "squared paper"])
def test_stronger_pages_differ_more_from_even_paper(kind: str) -> None:
    digits = mixed_digits(SCANNED, 12, seed=2)
    spread = [np.mean([page.std() for page in pages(kind, strength, digits)]) for strength in (0, 2)]
    assert spread[0] < spread[1]
