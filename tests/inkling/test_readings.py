from dataclasses import replace

import numpy as np
import pytest

from inkling.digit import Gray, Images
from inkling.network.classifier import Classifier, Outputs
from inkling.predictor import Predictor
from inkling.readings import read_each
from inkling.vision.normalization import Normalized
from inkling.vision.normalize import normalize


@pytest.fixture
def sure(digits: Gray) -> list[Normalized]:
    """Three digits as the network knows them."""
    return [normalize(digits[i]) for i in range(3)]


@pytest.fixture
def unsure(digits: Gray) -> list[Normalized]:
    """The same, hardly legible: noise lies over them."""
    noise = np.random.default_rng(3).integers(0, 256, (3, 28, 28), np.uint8)
    report = replace(normalize(digits[0]).report, warnings=("it is noisy",))
    return [Normalized(np.maximum(noise[i], digits[i] // 2), report) for i in range(3)]


def test_surest_reading_answers_wherever_it_stands(
    classifier: Classifier, sure: list[Normalized], unsure: list[Normalized]
) -> None:
    pictures = [
        replace(unsure[0], alternatives=(sure[0],)),
        replace(sure[1], alternatives=(unsure[1], unsure[2])),
        sure[2],
        replace(unsure[2], alternatives=(unsure[1], sure[2])),
    ]
    readings, outputs = read_each(classifier.read, pictures)
    expected = [sure[0], pictures[1], sure[2], sure[2]]
    assert all(reading is item for reading, item in zip(readings, expected, strict=True))
    images = np.stack([item.pixels for item in expected])
    alone = classifier.probabilities(images)
    np.testing.assert_array_equal(outputs.probabilities.argmax(axis=1), alone.argmax(axis=1))
    np.testing.assert_array_equal(outputs.probabilities[2], alone[2])  # it has no alternatives
    np.testing.assert_allclose(outputs.probabilities.sum(axis=1), 1, atol=1e-6)


def test_sure_readings_that_disagree_leave_doubt(classifier: Classifier, sure: list[Normalized]) -> None:
    picture = replace(sure[0], alternatives=(sure[2],))
    _, outputs = read_each(classifier.read, [picture])
    assert 0.5 < outputs.probabilities.max() < 0.9


def test_digit_that_no_reading_reads_first_is_answered_by_the_one_that_reads_it_most(
    classifier: Classifier, sure: list[Normalized]
) -> None:
    rows = np.array([[0.5, 0, 0.49, 0.01], [0, 0.5, 0.48, 0.02]], np.float32)

    def read(images: Images) -> Outputs:
        return Outputs(np.pad(rows, ((0, 0), (0, 6))), None)

    (reading,), outputs = read_each(read, [replace(sure[0], alternatives=(sure[1],))])
    assert outputs.probabilities.argmax() == 2
    assert reading.pixels is sure[0].pixels


def test_first_reading_answers_unless_another_is_clearly_surer(classifier: Classifier, sure: list[Normalized]) -> None:
    picture = replace(sure[0], alternatives=(sure[2],))
    assert classifier.probabilities(np.stack([sure[0].pixels, sure[2].pixels])).max(axis=1).min() > 0.99
    (reading,), _ = read_each(classifier.read, [picture])
    assert reading is picture


def test_reading_of_little_weight_does_not_overrule_the_first(classifier: Classifier, sure: list[Normalized]) -> None:
    rows = np.array([[0.9, 0.1], [0.1, 0.9]], np.float32)

    def read(images: Images) -> Outputs:
        return Outputs(np.pad(rows, ((0, 0), (0, 8))), None)

    for weight, expected in ((1.0, 0), (2.9, 0), (3.1, 1)):
        picture = replace(sure[0], alternatives=(replace(sure[1], weight=weight),))
        assert read_each(read, [picture]).outputs.probabilities.argmax() == expected


def test_shifted_reading_is_the_mean_logits_of_nine_images(classifier: Classifier, digits: Gray) -> None:
    first = normalize(digits[0])
    shifted = replace(first, pixels=np.pad(digits[0], 1)[2:, 2:], is_shifted=True)
    _, outputs = read_each(classifier.read, [replace(shifted, alternatives=(replace(first, weight=0),))])
    padded = np.pad(shifted.pixels, 1, mode="edge")
    views = np.stack([padded[i : i + 28, j : j + 28] for i in range(3) for j in range(3)])
    logits = np.log(classifier.probabilities(views)).mean(axis=0)
    expected = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(outputs.probabilities[0], expected, atol=1e-5)


def test_answer_tells_of_the_chosen_reading_and_is_the_same_in_any_batch(
    classifier: Classifier, sure: list[Normalized], unsure: list[Normalized]
) -> None:
    predictor = Predictor(classifier)
    pictures = [replace(unsure[0], alternatives=(sure[0],)), unsure[1]]
    together = predictor.predict_readings(pictures)
    assert together.warnings == ((), ("it is noisy",))
    assert together.reports == (sure[0].report, unsure[1].report)
    np.testing.assert_array_equal(together.images, [sure[0].pixels, unsure[1].pixels])
    alone = [predictor.predict_readings([picture]).probabilities[0] for picture in pictures]
    np.testing.assert_array_equal(together.probabilities, alone)
