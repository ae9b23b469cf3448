"""The datasets that are published as MNIST is: their names, and the names of their classes."""

from dataclasses import dataclass
from pathlib import Path

from inkling.digit import DIGIT_NAMES


@dataclass(frozen=True)
class Published:
    """A dataset whose files its makers publish."""

    name: str
    classes: tuple[str, ...]
    train_images_md5: frozenset[str]
    """MD5 of its training images, compressed as its makers publish them: they publish this digest, too."""
    prefix: str = ""
    """The start of its files' names, before `train-images-idx3-ubyte`."""
    is_transposed: bool = False
    """Whether its images are stored column by column."""


PUBLISHED = (
    Published(
        "fashion-mnist",
        (
            "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
        ),
        frozenset({"8d4fb7e6c68d591d4c3dfef9ec88bf0d"}),
    ),
    Published(
        "kmnist",
        ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
        frozenset({"bdb82020997e1d708af4cf47b453dcf7"}),
    ),
    Published("emnist-digits", DIGIT_NAMES, frozenset(), prefix="emnist-digits-", is_transposed=True),
    Published("emnist-mnist", DIGIT_NAMES, frozenset(), prefix="emnist-mnist-", is_transposed=True),
)  # fmt: skip
"""https://github.com/zalandoresearch/fashion-mnist, https://github.com/rois-codh/kmnist (romanized Hiragana), and
https://www.nist.gov/itl/products-and-services/emnist-dataset, whose files are known by their names alone: one archive
holds six datasets, of which these two have ten classes."""
MAX_NAME = 64
"""Characters of a dataset's name."""


def own_name(folder: Path) -> str:
    """Return the name of own data: their folder's, unless another dataset has it."""
    name = folder.resolve().name[:MAX_NAME] or "data"
    taken = {"mnist", "custom", *(published.name for published in PUBLISHED)}
    return f"own-{name}"[:MAX_NAME] if name in taken else name
