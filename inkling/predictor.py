"""The predictor: arrays or pictures in; version, probabilities and reports out.

It imports neither the web framework nor TensorFlow.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from inkling.digit import Floats, Gray, Images
from inkling.errors import InputError, NoDigitError
from inkling.network import checkpoint
from inkling.network.attribution import Explanation, explain
from inkling.network.classifier import Classifier
from inkling.network.digit_probe import DIGIT_THRESHOLD
from inkling.network.learned_dataset import LearnedDataset
from inkling.network.pretrained import load_pretrained
from inkling.numbers import Numbers, read_page
from inkling.readings import read_each
from inkling.vision.image_files import (
    MAX_DECODER_BYTES,
    MAX_PIXELS,
    MAX_SIDE,
    PictureLimits,
    decode_image,
    decode_picture,
)
from inkling.vision.image_warnings import Warnings, image_warnings
from inkling.vision.normalization import Normalization, Normalized
from inkling.vision.normalize import normalize_all
from inkling.vision.normalized_files import normalize_file
from inkling.vision.numbers.layout import find_page
from inkling.vision.numbers.page import Page

Fit = Literal["strict", "mnist"]
"""How pictures become images. strict: they are images of 28x28 pixels already; mnist: they are normalized."""


class Predictions(NamedTuple):
    """The answer to one or more images."""

    version: int
    images: Images
    """(n, 28, 28): what the network read."""
    probabilities: Floats
    """(n, 10), each row summing to 1."""
    reports: tuple[Normalization, ...]
    """How each picture was normalized; empty if they were read as they are."""
    warnings: tuple[Warnings, ...]
    """About each image: possible problems, one sentence each; mostly none."""
    digit_scores: Floats | None
    """(n,): how much each image looks like a digit, 0 to 1; None if the checkpoint has no digit probe."""
    model_s: float
    """Seconds of the forward pass."""
    classes: tuple[str, ...] | None = None
    """The names of the classes; None: digits."""

    @property
    def digits(self) -> list[int]:
        """The most probable digit of each image."""
        digits: list[int] = self.probabilities.argmax(axis=1).tolist()
        return digits

    def are_digits(self, threshold: float = DIGIT_THRESHOLD) -> list[bool] | None:
        """Return whether the score of each image is at least a threshold; None if there are no scores."""
        if self.digit_scores is None:
            return None
        are_digits: list[bool] = (self.digit_scores >= threshold).tolist()
        return are_digits

    def items(self, threshold: float) -> list[dict[str, Any]]:
        """Return each image's digit, confidence, probabilities, label and whether it is a digit, as JSON names them."""
        items: list[dict[str, Any]] = [
            {"digit": digit, "confidence": row[digit], "probabilities": row}
            for digit, row in zip(self.digits, self.probabilities, strict=True)
        ]
        if self.classes is not None:
            for item in items:
                item["label"] = self.classes[item["digit"]]
        are_digits, scores = self.are_digits(threshold), self.digit_scores
        if are_digits is not None and scores is not None:
            for item, is_digit, score in zip(items, are_digits, scores, strict=True):
                item["is_digit"], item["digit_score"] = is_digit, score
        return items


class NumberReadings(NamedTuple):
    """The answer to one or more pictures of numbers."""

    version: int
    pictures: tuple[Numbers, ...]
    model_s: float
    """Seconds of the forward passes."""


class Predictor:
    """Reads digits with one version of the network. Immutable, so one version answers a whole request."""

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier
        card = classifier.checkpoint.card
        self._classes = card.classes
        self._normalizes = card.fit == "mnist"

    @classmethod
    def load(cls, checkpoint_file: Path | str | None = None) -> "Predictor":
        """Return the predictor of a checkpoint file; None: of the network that ships.

        Raises:
            OSError: the file cannot be read.
            CheckpointError: it is not a checkpoint of this network.
        """
        loaded = load_pretrained() if checkpoint_file is None else checkpoint.load(Path(checkpoint_file).read_bytes())
        return cls(Classifier(loaded, version=0))

    @property
    def version(self) -> int:
        return self.classifier.version

    @property
    def learned(self) -> LearnedDataset:
        """The dataset that the version learned."""
        return self.classifier.checkpoint.card.learned

    @property
    def fit_problem(self) -> str | None:
        """Why fit=mnist does not suit the version, in words; None if it does."""
        if self._normalizes:
            return None
        return (
            f"fit=mnist does not suit version {self.version}: it learned {self.learned} from pictures that were scaled "
            "as a whole; send images of 28x28 pixels, without fit=mnist"
        )

    def predict_strict(self, images: Images) -> Predictions:
        """Read images (n, 28, 28), 0 background to 255 foreground, as they are.

        They should be as MNIST's are, if the version learned such; `Predictions.warnings` says which are not.
        """
        warnings = image_warnings(images) if self._normalizes else ((),) * len(images)
        started = time.perf_counter()
        probabilities, digit_scores = self.classifier.read(images)
        model_s = time.perf_counter() - started
        return Predictions(self.version, images, probabilities, (), warnings, digit_scores, model_s, self._classes)

    def predict_normalized(self, pictures: Iterable[Gray]) -> Predictions:
        """Normalize pictures (h, w) of any size, 0 black to 255 white, one after another, and read them.

        Raises:
            NoDigitError: a picture shows no single digit; the message says which.
        """
        return self.predict_readings(normalize_all(pictures))

    def predict_readings(self, pictures: Sequence[Normalized]) -> Predictions:
        """Read pictures, at least one, that were normalized already; of each, the network chooses one reading.

        Images, reports and warnings are those of the chosen readings.
        """
        started = time.perf_counter()
        readings, outputs = read_each(self.classifier.read, pictures)
        model_s = time.perf_counter() - started
        images = np.stack([reading.pixels for reading in readings])
        reports = tuple(reading.report for reading in readings)
        warnings = tuple(report.warnings for report in reports)
        return Predictions(
            self.version, images, outputs.probabilities, reports, warnings, outputs.digit_scores, model_s, self._classes
        )

    def predict_files(
        self,
        files: Sequence[Path | str],
        *,
        fit: Fit = "strict",
        max_pixels: int = MAX_PIXELS,
        max_side: int = MAX_SIDE,
        max_decoder_bytes: int = MAX_DECODER_BYTES,
    ) -> Predictions:
        """Read image files, at least one; the results are in the same order.

        Raises:
            OSError: a file cannot be read.
            ImageError: a file is not an image, is not 28x28 with fit="strict", or shows no single digit with "mnist";
                the message names the file.
            TooLargeError: a picture has too many pixels, is too wide or high, or takes too much memory to decode.
        """
        limits = {"max_pixels": max_pixels, "max_side": max_side, "max_decoder_bytes": max_decoder_bytes}
        if fit == "strict":
            images = [decode_image(Path(file).read_bytes(), name=str(file), **limits) for file in files]
            return self.predict_strict(np.stack(images))
        return self.predict_readings([_normalize_file(Path(file), limits) for file in files])

    def read_pages(self, pages: Iterable[Page]) -> NumberReadings:
        """Read the numbers of pages, as `find_page` found them in pictures."""
        started = time.perf_counter()
        pictures = tuple(read_page(self.classifier.read, page) for page in pages)
        return NumberReadings(self.version, pictures, time.perf_counter() - started)

    def read_numbers(
        self,
        file: Path | str,
        *,
        max_pixels: int = MAX_PIXELS,
        max_side: int = MAX_SIDE,
        max_decoder_bytes: int = MAX_DECODER_BYTES,
    ) -> Numbers:
        """Read the numbers of an image file.

        Raises:
            OSError: the file cannot be read.
            ImageError: it is not an image, or shows no digits; the message names the file.
            TooLargeError: it has too many pixels or digits, is too wide or high, or takes too much memory to decode.
        """
        limits = {"max_pixels": max_pixels, "max_side": max_side, "max_decoder_bytes": max_decoder_bytes}
        picture = decode_picture(Path(file).read_bytes(), name=str(file), **limits)
        try:
            page = find_page(picture)
        except InputError as error:
            raise type(error)(f"{file}: {error}") from error
        return self.read_pages([page]).pictures[0]

    def explain(self, image: Gray, digit: int) -> Explanation:
        """Attribute the logit of `digit` to the pixels of an image (28, 28), 0 background to 255 foreground."""
        return explain(self.classifier, image, digit)


def _normalize_file(file: Path, limits: Mapping[str, int]) -> Normalized:
    content = file.read_bytes()
    try:
        return normalize_file(content, PictureLimits(**limits), str(file)).normalized
    except NoDigitError as error:
        raise type(error)(f"{file}: {error}") from error
