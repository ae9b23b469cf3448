"""The dataset that a version learned: its name and its classes, which say what the version's answers mean."""

from typing import NamedTuple

from inkling.digit import DIGIT_NAMES

IN_PLACE_OF_MNIST = {None, "mnist", "custom"}
"""MNIST, other digits that somebody put in its place, and the digits of earlier releases, which kept no name."""


class LearnedDataset(NamedTuple):
    name: str | None
    """None: digits, from an earlier release."""
    classes: tuple[str, ...] = DIGIT_NAMES

    def is_same(self, other: "LearnedDataset") -> bool:
        """Return whether versions of both can be compared and replace each other. The images may have become more."""
        names = {self.name, other.name}
        return self.classes == other.classes and (len(names) == 1 or names <= IN_PLACE_OF_MNIST)

    @property
    def shows_digits(self) -> bool:
        return self.classes == DIGIT_NAMES

    def __str__(self) -> str:
        classes = "digits" if self.shows_digits else ", ".join(self.classes)
        return f"{self.name or 'mnist'} ({classes})"
