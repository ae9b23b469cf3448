import numpy as np
import pytest

from inkling.model_card.out_of_distribution import KINDS, OutOfDistribution, draw_out_of_distribution
from tests.support.digits import make_digits

DIGITS = make_digits(20, seed=6)[0]


@pytest.fixture(scope="module")
def pictures() -> list[OutOfDistribution]:
    return list(draw_out_of_distribution(DIGITS, each=6))


def test_every_kind_has_the_number_of_pictures_asked_for(pictures: list[OutOfDistribution]) -> None:
    kinds, counts = np.unique([picture.kind for picture in pictures], return_counts=True)
    assert set(kinds) == set(KINDS)
    assert set(counts) == {6}


def test_default_is_two_hundred_pictures() -> None:
    assert sum(1 for _ in draw_out_of_distribution(DIGITS)) == 200


def test_same_seed_draws_the_same_pictures(pictures: list[OutOfDistribution]) -> None:
    again = draw_out_of_distribution(DIGITS, each=6)
    assert all(np.array_equal(a.picture, b.picture) for a, b in zip(pictures, again, strict=True))
    others = draw_out_of_distribution(DIGITS, each=6, seed=1)
    same = [np.array_equal(a.picture, b.picture) for a, b in zip(pictures, others, strict=True)]
    assert np.mean(same) < 0.2  # blank ones


def test_pictures_are_gray_and_flat(pictures: list[OutOfDistribution]) -> None:
    for picture in pictures:
        assert picture.picture.dtype == np.uint8
        assert picture.picture.ndim == 2
        assert min(picture.picture.shape) >= 28


@pytest.mark.parametrize(("kind", "low", "high"), [("blank", 0, 0), ("paper with grain", 5, 120), ("word", 255, 255)])
def test_contrast_is_that_of_the_kind(pictures: list[OutOfDistribution], kind: str, low: int, high: int) -> None:
    for picture in pictures:
        if picture.kind == kind:
            assert low <= int(picture.picture.max()) - int(picture.picture.min()) <= high


def test_letters_and_words_fit_their_canvas_in_either_polarity(pictures: list[OutOfDistribution]) -> None:
    backgrounds = set()
    for picture in pictures:
        if picture.kind in ("one letter", "grid of letters", "word", "scribble"):
            edge = np.concatenate([picture.picture[0], picture.picture[-1], picture.picture[:, 0]])
            assert len(np.unique(edge)) == 1
            backgrounds.add(int(edge[0]))
    assert backgrounds == {0, 255}
