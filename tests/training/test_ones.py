from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from training import dataset, ones
from training.dataset import Split
from training.ones import flag, with_flagged_ones

Bytes = NDArray[np.uint8]


def stem(lean: float = 0.0) -> Bytes:
    """A one (28, 28), 2 pixels wide and 20 high, that leans by some pixels a pixel."""
    image = np.zeros((28, 28), np.uint8)
    for row in range(4, 24):
        column = round(13 + lean * (14 - row))
        image[row, column : column + 2] = 255
    return image


def split(*images: Bytes, label: int = 1) -> Split:
    return Split(np.stack(images), np.full(len(images), label, np.uint8))


def centre(image: Bytes) -> tuple[float, float]:
    total = image.sum(dtype=np.float64)
    rows, columns = (image.sum(axis=axis, dtype=np.float64) @ np.arange(28) / total for axis in (1, 0))
    return float(rows), float(columns)


def flagged(footed: bool, monkeypatch: pytest.MonkeyPatch, seed: int = 0) -> Bytes:
    monkeypatch.setattr(ones, "FOOTED", float(footed))
    return flag(stem(), np.random.default_rng(seed))


def reach(image: Bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first and the last inked column of each inked row."""
    inked = image[(image > 127).any(axis=1)] > 127
    return inked.argmax(axis=1), 27 - inked[:, ::-1].argmax(axis=1)


@pytest.mark.parametrize("seed", range(5))
def test_flag_hangs_from_the_top_to_the_left(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    left, right = reach(flagged(footed=False, monkeypatch=monkeypatch, seed=seed))
    assert len(left) in (20, 21)  # no higher than the stem, but for a round end
    below = left[14:]
    assert len(set(below)) == 1  # below the flag there is the stem alone
    assert 2 <= below[0] - left[:14].min() <= 20 * 0.45 + 1
    assert left[-1] - left[0] <= 1
    assert right.max() - below[0] <= 2


def test_foot_stands_out_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    without, (left, right) = reach(flagged(False, monkeypatch)), reach(flagged(True, monkeypatch))
    assert left[-4:].min() < without[0][-1] - 2
    assert right[-4:].max() > without[1][-1] + 2


@pytest.mark.parametrize("seed", range(5))
def test_flagged_one_lies_where_mnist_has_it(seed: int) -> None:
    assert all(13.5 <= at <= 14.5 for at in centre(flag(stem(), np.random.default_rng(seed))))


def test_flagged_ones_come_after_the_images_as_they_are() -> None:
    before = Split(np.stack([stem()] * 10 + [stem()] * 10), np.array([1, 7] * 10, np.uint8))
    after = with_flagged_ones(before, 0.5, seed=0)
    assert len(after) == 25
    assert after.images[:20].tobytes() == before.images.tobytes()
    assert after.labels.tolist() == [1, 7] * 10 + [1] * 5
    assert (after.images[20:] != stem()).any(axis=(1, 2)).all()


def test_one_that_leans_like_a_seven_gets_no_flag() -> None:
    upright, leaning = split(stem(0.2)), split(stem(0.5), stem(-0.5))
    assert len(with_flagged_ones(upright, 1.0, seed=0)) == 2
    assert with_flagged_ones(leaning, 1.0, seed=0) is leaning


def test_without_a_share_or_a_one_nothing_is_added() -> None:
    sevens = split(stem(), stem(), label=7)
    assert with_flagged_ones(sevens, 1.0, seed=0) is sevens
    some = split(stem(), stem())
    assert with_flagged_ones(some, 0.0, seed=0) is some


def test_same_seed_draws_the_same_flags_and_another_seed_others() -> None:
    some = split(*[stem()] * 8)
    assert with_flagged_ones(some, 1, 3).images.tobytes() == with_flagged_ones(some, 1, 3).images.tobytes()
    assert with_flagged_ones(some, 1, 3).images.tobytes() != with_flagged_ones(some, 1, 4).images.tobytes()


@pytest.mark.parametrize("grey", [0, 1, 100, 255])
def test_odd_pictures_labelled_as_one_do_no_harm(grey: int) -> None:
    image = np.full((28, 28), grey, np.uint8)
    assert with_flagged_ones(split(image), 1.0, seed=0).images.shape == (2, 28, 28)


@pytest.mark.mnist
def test_ones_of_mnist_keep_their_place_under_a_flag(real_mnist_dir: Path) -> None:
    train = dataset.read_folder(real_mnist_dir).train
    after = with_flagged_ones(train, 0.3, seed=0)
    added = after.images[len(train) :]
    assert 0.15 < len(added) / (train.labels == 1).sum() < 0.3
    is_centred = [all(13.5 <= at <= 14.5 for at in centre(image)) for image in added]
    assert np.mean(is_centred) > 0.998  # a rare long foot meets the edge
