import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from inkling.digit import Gray, Images
from inkling.mnist import read_folder
from inkling.vision.image_warnings import image_warnings


def with_border(digits: Gray, level: int, count: int) -> Gray:
    """Return images whose first `count` pixels of the outermost 108 have a level."""
    images = digits.copy()
    border = np.flatnonzero(np.pad(np.zeros((26, 26), bool), 1, constant_values=True))
    images.reshape(-1, 784)[:, border[:count]] = level
    return images


UNLIKE_MNIST: list[tuple[Callable[[Gray], Gray], str]] = [
    (lambda digits: 255 - digits, r"dark strokes on a light background .its border is 255., .* send it with fit=mnist"),
    (lambda digits: 200 - digits // 2, r"dark strokes on a light background .its border is 200."),
    (lambda digits: 100 - digits // 4, r"dark strokes on a light background .its border is 100."),
    (lambda digits: digits // 3 * 2 + 80, r"its background is 80, expected 0"),
    (lambda digits: digits // 10, r"the contrast is low: its values go from 0 to 25, expected 0 to 255"),
    (lambda digits: (digits > 127).astype(np.uint8), "only 0 and 1, expected 0 to 255: multiply them by 255"),
    (lambda digits: digits * 0, "the image is blank: its values go from 0 to 0"),
    (lambda digits: digits * 0 + 7, "the image is blank: its values go from 7 to 7"),
    (lambda digits: digits * 0 + 255, "the image is blank: its values go from 255 to 255"),
    (lambda digits: digits // 100, "the image is blank: its values go from 0 to 2"),
]


@pytest.mark.parametrize(("change", "message"), UNLIKE_MNIST)
def test_each_image_unlike_mnist_is_named_alone_and_among_others(
    digits: Gray, change: Callable[[Gray], Gray], message: str
) -> None:
    changed = change(digits)
    for i in (0, 3, 7):
        (alone,) = image_warnings(changed[i : i + 1])
        assert re.search(message, alone[0])
        among = digits.copy()
        among[i] = changed[i]
        warnings = image_warnings(among)
        assert warnings[i] == alone
        assert not any(warnings[:i] + warnings[i + 1 :])


def test_image_can_have_two_warnings(digits: Gray) -> None:
    (warnings,) = image_warnings(100 - digits[:1] // 4)
    assert ["dark strokes" in warnings[0], "the contrast is low" in warnings[1]] == [True, True]


def test_digits_get_no_warning(digits: Gray) -> None:
    assert image_warnings(digits) == ((),) * len(digits)
    assert image_warnings(digits[:1]) == ((),)


@pytest.mark.parametrize(("lit", "is_background"), [(0, False), (40, False), (53, False), (60, True), (108, True)])
def test_ink_at_the_border_is_no_background(digits: Gray, lit: int, *, is_background: bool) -> None:
    for warnings in image_warnings(with_border(digits, 200, lit)):
        assert bool(warnings) is is_background


def test_one_image_is_judged_as_among_many() -> None:
    random = np.random.default_rng(5)
    levels = random.integers(0, 256, (500, 2))
    noise = random.integers(levels.min(1)[:, None, None], levels.max(1)[:, None, None] + 1, (500, 28, 28), np.int64)
    noise[::2, [0, -1]] = 0
    images: Images = noise.astype(np.uint8)
    together = image_warnings(images)
    assert together == tuple(image_warnings(image[np.newaxis])[0] for image in images)
    assert {bool(warnings) for warnings in together} == {True, False}


@pytest.mark.mnist
def test_mnist_gets_no_warning_and_inverted_always_one(real_mnist_dir: Path) -> None:
    images = read_folder(real_mnist_dir).train.images
    assert not any(image_warnings(images))
    for warnings in image_warnings(255 - images):
        assert "dark strokes on a light background" in warnings[0]
