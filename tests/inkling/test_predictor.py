from pathlib import Path

import numpy as np
import pytest

from inkling.digit import Gray
from inkling.errors import CheckpointError, ImageError, NoDigitError, TooLargeError
from inkling.network.checkpoint import Checkpoint
from inkling.network.classifier import Classifier
from inkling.predictor import Predictor
from tests.support.bodies import image_file
from tests.support.networks import with_digit_probe

DIGITS = Path(__file__).parents[2] / "docs" / "digits"
FILES = [DIGITS / f"{digit}.png" for digit in range(10)]


@pytest.fixture(scope="module")
def predictor(classifier: Classifier) -> Predictor:
    return Predictor(classifier)


def test_images_get_the_classifiers_probabilities(predictor: Predictor, classifier: Classifier, digits: Gray) -> None:
    answer = predictor.predict_strict(digits)
    np.testing.assert_array_equal(answer.probabilities, classifier.probabilities(digits))
    assert answer.digits == classifier.probabilities(digits).argmax(axis=1).tolist()
    assert (answer.version, answer.reports) == (classifier.version, ())
    assert answer.images is digits
    assert answer.model_s > 0


def test_image_is_a_digit_from_the_threshold_on(shipped: Checkpoint, digits: Gray) -> None:
    predictor = Predictor(Classifier(with_digit_probe(shipped), version=1))
    answer = predictor.predict_strict(digits)
    scores = answer.digit_scores
    assert scores is not None
    assert answer.are_digits(float(scores[3])) == [score >= scores[3] for score in scores.tolist()]
    assert answer.are_digits(0) == [True] * len(digits)


def test_version_without_a_digit_probe_does_not_say_what_is_a_digit(checkpoint: Checkpoint, digits: Gray) -> None:
    answer = Predictor(Classifier(checkpoint, version=1)).predict_strict(digits)
    assert (answer.digit_scores, answer.are_digits()) == (None, None)


def test_pictures_are_normalized_and_reported_one_by_one(predictor: Predictor) -> None:
    answer = predictor.predict_files(FILES, fit="mnist")
    assert answer.digits == list(range(10))
    assert answer.images.shape == (10, 28, 28)
    assert len(answer.reports) == 10
    np.testing.assert_array_equal(answer.probabilities, predictor.predict_strict(answer.images).probabilities)


def test_same_picture_gets_the_same_bits_alone_and_among_others(predictor: Predictor) -> None:
    together = predictor.predict_files(FILES, fit="mnist").probabilities
    alone = [predictor.predict_files([file], fit="mnist").probabilities[0] for file in FILES]
    np.testing.assert_array_equal(together, alone)


def test_warnings_are_of_each_image_and_those_of_the_reports_with_fit_mnist(
    predictor: Predictor, digits: Gray, tmp_path: Path
) -> None:
    answer = predictor.predict_strict(np.stack([digits[0], 255 - digits[1], digits[2]]))
    assert [len(warnings) for warnings in answer.warnings] == [0, 1, 0]
    file = tmp_path / "faint.png"
    file.write_bytes(image_file(np.pad(digits[3], 20) // 12))
    answer = predictor.predict_files([file, FILES[3]], fit="mnist")
    assert answer.warnings == (answer.reports[0].warnings, ())
    assert "contrast" in answer.warnings[0][0]


def test_files_are_read_as_they_are_with_fit_strict(predictor: Predictor, digits: Gray, tmp_path: Path) -> None:
    file = tmp_path / "digit.png"
    file.write_bytes(image_file(digits[3]))
    answer = predictor.predict_files([str(file), file])
    np.testing.assert_array_equal(answer.images, digits[[3, 3]])


def test_file_that_cannot_be_read_is_named(predictor: Predictor, tmp_path: Path) -> None:
    file = tmp_path / "digit.png"
    with pytest.raises(FileNotFoundError, match=r"digit\.png"):
        predictor.predict_files([file])
    file.write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"digit\.png \(8 bytes\) is not an image"):
        predictor.predict_files([file])
    file.write_bytes(image_file(np.zeros((30, 30), np.uint8)))
    with pytest.raises(ImageError, match=r"digit\.png is 30x30 pixels, expected 28x28"):
        predictor.predict_files([file])
    with pytest.raises(TooLargeError, match="the limit is 899"):
        predictor.predict_files([file], fit="mnist", max_pixels=899)
    with pytest.raises(NoDigitError, match=r"digit\.png: the picture is blank"):
        predictor.predict_files([file], fit="mnist")


def test_explanation_is_of_the_same_network(predictor: Predictor, digits: Gray) -> None:
    explanation = predictor.explain(digits[3], digit=3)
    assert explanation.digit == 3
    assert explanation.contributions.sum() == pytest.approx(explanation.logit - explanation.baseline_logit, abs=1e-3)


def test_checkpoint_file_is_loaded_or_the_shipped_one(shipped: Checkpoint, tmp_path: Path) -> None:
    file = tmp_path / "other.safetensors"
    file.write_bytes(shipped.content)
    for predictor in (Predictor.load(), Predictor.load(file), Predictor.load(str(file))):
        assert predictor.classifier.checkpoint.digest == shipped.digest
    file.write_bytes(b"x")
    with pytest.raises(CheckpointError):
        Predictor.load(file)
