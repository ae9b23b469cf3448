"""The content of a dataset: identical images, and the split by content."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inkling.digit import NUM_CLASSES
from inkling.errors import DatasetError
from inkling.mnist import Split

TEST_BELOW = 43
"""One image in six is a test image, as of MNIST one in seven: that whose SHA-256 starts with a byte below this."""


@dataclass(frozen=True)
class Distinct:
    """The images of a dataset that may be used."""

    kept: NDArray[np.int64]
    """Indices of images that are unlike each other, in the order of their SHA-256, which mixes the classes."""
    repeated: int
    """Images left out because another one of their class is the same."""
    contradictory: NDArray[np.int64]
    """Indices of images that are left out because the same image is in several classes."""


def find_distinct(split: Split) -> Distinct:
    """Return which images of a split differ from each other."""
    digests = np.array([hashlib.sha256(image.tobytes()).hexdigest() for image in split.images])
    _, first, same = np.unique(digests, return_index=True, return_inverse=True)
    classes = np.zeros((len(first), NUM_CLASSES), np.bool_)
    classes[same, split.labels] = True
    is_contradictory = classes.sum(axis=1) > 1
    contradictory = np.flatnonzero(is_contradictory[same])
    kept = first[~is_contradictory]
    return Distinct(kept, len(split) - len(contradictory) - len(kept), contradictory)


def split_by_content(split: Split, classes: tuple[str, ...]) -> tuple[Split, Split]:
    """Return (train, test) of images that differ from each other.

    The content of an image decides, so that it is on the same side however much the dataset grows, and no version is
    measured on an image that an earlier one has learned. The last training images, which a recipe holds out, are chosen
    by content, too.

    Raises:
        DatasetError: a class has fewer than two images.
    """
    digests = [hashlib.sha256(image.tobytes()).digest() for image in split.images]
    is_test = np.array([digest[0] < TEST_BELOW for digest in digests], np.bool_)
    for label, name in enumerate(classes):
        members = np.flatnonzero(split.labels == label)
        if len(members) < 2:
            raise DatasetError(
                f"class {name} has {len(members)} images that differ from each other, expected at least 2: one to "
                "learn, one to test"
            )
        first, *_, last = sorted(members, key=digests.__getitem__)
        is_test[first], is_test[last] = True, False
    return split.take(~is_test), split.take(is_test)


def without_images_of(split: Split, other: Split) -> Split:
    """Return the images of a split that another one lacks."""
    known = {image.tobytes() for image in other.images}
    is_kept = np.array([image.tobytes() not in known for image in split.images], np.bool_)
    return split if is_kept.all() else split.take(is_kept)
