"""From a batch to its predictions; what cannot be read is left out, with its reason."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from inkling.bulk.batches import Batch, Item, Unreadable
from inkling.digit import SIDE, Gray
from inkling.errors import ImageSizeError, InputError
from inkling.predictor import Fit, Predictions, Predictor
from inkling.vision.image_files import PictureLimits, decode_image
from inkling.vision.normalization import Normalized
from inkling.vision.normalize import normalize
from inkling.vision.normalized_files import normalize_file

NAME = "the image"
"""In the reasons: the file has a column of its own."""


@dataclass(frozen=True)
class Results:
    """The answers to a batch."""

    files: str | Sequence[str]
    first_row: int | None
    count: int
    errors: dict[int, str]
    """By its position, why an image could not be read."""
    predictions: Predictions | None
    """Of all others, in order; None if there are none."""

    def file(self, position: int) -> str:
        return self.files if isinstance(self.files, str) else self.files[position]

    @property
    def readable(self) -> list[int]:
        """The positions of `predictions`."""
        return [position for position in range(self.count) if position not in self.errors]


def predict(predictor: Predictor, batch: Batch, fit: Fit, limits: PictureLimits) -> Results:
    """Read the images of a batch, with the numbers that the service answers."""
    items = batch.items
    count, errors = len(items), dict[int, str]()
    if fit == "strict" and isinstance(items, np.ndarray):
        return Results(batch.files, batch.first_row, count, errors, predictor.predict_strict(items) if count else None)
    images: list[Gray] = []
    pictures: list[Normalized] = []
    for position, item in enumerate(items):
        if isinstance(item, Unreadable):
            errors[position] = item.reason
            continue
        try:
            if fit == "strict":
                images.append(_image(item, limits))
            else:
                pictures.append(_normalized(item, limits))
        except InputError as error:
            errors[position] = str(error)
        except MemoryError:
            errors[position] = f"{NAME} needs more memory than there is: scale it down"
    predictions = None
    if images:
        predictions = predictor.predict_strict(np.stack(images))
    elif pictures:
        predictions = predictor.predict_readings(pictures)
    return Results(batch.files, batch.first_row, count, errors, predictions)


def _image(item: Item, limits: PictureLimits) -> Gray:
    if isinstance(item, bytes):
        return decode_image(item, name=NAME, **asdict(limits))
    assert isinstance(item, np.ndarray)  # noqa: S101  the third kind has been taken out
    if item.shape != (SIDE, SIDE):
        height, width = item.shape
        raise ImageSizeError(f"{NAME} is {width}x{height} pixels, expected {SIDE}x{SIDE}")
    return item


def _normalized(item: Item, limits: PictureLimits) -> Normalized:
    if isinstance(item, bytes):
        return normalize_file(item, limits, NAME).normalized
    assert isinstance(item, np.ndarray)  # noqa: S101  the third kind has been taken out
    limits.check_size(item.shape[1], item.shape[0], NAME)
    return normalize(item)
