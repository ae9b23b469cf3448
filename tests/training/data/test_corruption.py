import numpy as np
import pytest

from inkling.digit import Floats
from tests.support.digits import make_digits

pytestmark = pytest.mark.train

KINDS = ("line", "bands", "blots", "noise", "salt and pepper", "low contrast", "gray background", "blur")


def corrupted(x: Floats, kind: int) -> Floats:
    """Return images (n, 784), each with the same kind of corruption in a random strength."""
    from training.data.corruption import corrupt

    choices = np.random.default_rng(0).random((len(x), 9), np.float32)
    choices[:, 0] = (kind + 0.5) / len(KINDS)
    noise = np.random.default_rng(1).random((len(x), 2, 784), np.float32)
    result: Floats = corrupt(x, choices, noise).numpy()
    return result


@pytest.mark.parametrize("kind", range(len(KINDS)), ids=KINDS)
def test_each_kind_of_corruption_changes_images_and_stays_between_background_and_foreground(kind: int) -> None:
    x = (make_digits(200, seed=5)[0].reshape(200, 784) / 255).astype(np.float32)
    y = corrupted(x, kind)
    assert y.shape == x.shape
    assert (y.min(), y.max()) >= (0, 0)
    assert y.max() <= 1
    assert np.abs(y - x).max(axis=1).mean() > 0.1


@pytest.mark.parametrize("kind", [KINDS.index(name) for name in ("line", "blots", "gray background")])
def test_lines_blots_and_a_gray_background_only_brighten(kind: int) -> None:
    x = np.zeros((50, 784), np.float32)
    assert (corrupted(x, kind).max(axis=1) > 0).all()
    assert (corrupted(1 - x, kind) == 1).all()
