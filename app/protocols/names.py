"""The names that clients of other protocols find: those of tensorflow/serving's own mnist_client.py."""

from typing import Final

MODEL: Final = "mnist"
"""Takes pixels."""
FILES_MODEL: Final = "mnist-files"
"""The same weights; takes image files."""
INPUT: Final = "images"
SCORES: Final = "scores"
"""The probabilities, float32 (n, 10)."""
DIGITS: Final = "digits"
"""The most probable digit of each image, int64 (n,)."""
