"""Checkpoints of trained networks: predictions, calibration and the evaluation on the card."""

import numpy as np
import pytest

from inkling.errors import CheckpointError
from inkling.mnist import Dataset
from inkling.network.checkpoint import SHAPES, Checkpoint, load
from inkling.network.classifier import Classifier
from inkling.network.evaluation import evaluate
from tests.support.networks import Parameters, parameters_that_read, random_parameters, with_views
from tests.support.trainings import SMALL, Trained, assert_same_bytes, read_by_reference

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def parameters(trained: Trained) -> Parameters:
    return trained.parameters


def test_predictions_are_those_of_the_formulas(data: Dataset) -> None:
    from training.predictions import predict

    parameters = random_parameters(seed=4)
    probabilities = predict(data.test.images, parameters)
    assert probabilities.shape == (500, 10)
    assert probabilities.dtype == np.float32
    expected = read_by_reference(data.test.images, parameters)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-4, atol=1e-6)


def test_checkpoint_has_the_parameters_and_their_score_on_the_test_images(
    data: Dataset, parameters: Parameters
) -> None:
    from training.checkpoint_building import build_checkpoint
    from training.predictions import predict, predict_served

    checkpoint = build_checkpoint(parameters, SMALL, data)
    card = load(checkpoint.content).card
    assert_same_bytes({name: checkpoint.parameters[name] for name in SHAPES}, parameters)
    assert (card.recipe, card.dataset, card.dataset_digest) == (SMALL, "custom", data.digest)
    images, labels = data.test.images, data.test.labels
    single_view = predict(images, parameters, card.temperature)
    served = predict_served(data.test, parameters, card.temperature, card.views)
    assert card.evaluation == evaluate(
        served, labels, predict(images, parameters), single_view=single_view if card.views else None
    )
    assert card.evaluation.total == 500
    assert card.libraries.keys() == {"tensorflow", "keras", "numpy"}


def test_temperature_makes_the_held_out_labels_most_likely(data: Dataset, parameters: Parameters) -> None:
    from training.checkpoint_building import build_checkpoint
    from training.predictions import predict

    held_out = data.hold_out(500)[1]

    def loss(temperature: float) -> float:
        return evaluate(predict(held_out.images, parameters, temperature), held_out.labels).loss

    fitted = build_checkpoint(parameters, SMALL, data).card.temperature
    assert loss(fitted) < min(loss(fitted * 0.9), loss(fitted * 1.1), loss(1.0))


def test_without_held_out_images_the_temperature_is_one_and_there_are_no_views(
    data: Dataset, parameters: Parameters
) -> None:
    from training.checkpoint_building import build_checkpoint

    card = build_checkpoint(parameters, SMALL.with_overrides({"validation_size": 0}), data).card
    assert (card.temperature, card.views) == (1.0, None)


def test_version_has_views_only_if_these_make_the_held_out_labels_more_likely(data: Dataset) -> None:
    from training.checkpoint_building import build_checkpoint
    from training.predictions import predict, predict_mean_logits, predict_served

    # given: a network that does not see shifts, and one whose weights are noise
    averaging = {name: array.copy() for name, array in random_parameters(seed=2).items()}
    averaging["weights/h1"][:] = averaging["weights/h1"].mean(axis=0)
    held_out = data.hold_out(500)[1]
    for parameters in (averaging, random_parameters(seed=3)):
        # when
        card = build_checkpoint(parameters, SMALL, data).card
        # then
        single = evaluate(predict(held_out.images, parameters, card.temperature), held_out.labels).loss
        served = predict_served(held_out, parameters, card.temperature, card.views)
        assert (evaluate(served, held_out.labels).loss < single) == (card.views is not None)
        assert predict_mean_logits(held_out.images, parameters).shape == (500, 10)


def test_probabilities_of_views_are_those_of_the_classifier(shipped: Checkpoint, data: Dataset) -> None:
    from training.predictions import predict_served

    viewed = with_views(shipped, temperature=1.2)
    images = data.test.images
    served = predict_served(data.test, viewed.parameters, viewed.card.temperature, viewed.card.views)
    classifier = Classifier(viewed, version=1)
    assert (served != predict_served(data.test, viewed.parameters, viewed.card.temperature, None)).any()
    np.testing.assert_allclose(served, classifier.probabilities(images), atol=1e-4)


def test_accuracy_of_a_network_that_reads_one_digit_is_the_share_of_that_digit(data: Dataset) -> None:
    from training.checkpoint_building import build_checkpoint

    checkpoint = build_checkpoint(parameters_that_read(3), SMALL, data)
    assert checkpoint.card.evaluation.accuracy == 0.1


def test_parameters_that_are_not_finite_are_refused(data: Dataset) -> None:
    from training.checkpoint_building import build_checkpoint

    parameters = random_parameters()
    parameters["weights/out"][0, 0] = np.inf
    with pytest.raises(CheckpointError, match="weights/out holds values that are not finite"):
        build_checkpoint(parameters, SMALL, data)


def test_probe_is_the_same_beside_tensorflow_and_before_it(
    data: Dataset, parameters: Parameters, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training.checkpoint_building import build_checkpoint

    digests = set()
    for threads in ("1", "2"):
        monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", threads)
        digests.add(build_checkpoint(parameters, SMALL, data).digest)
    assert len(digests) == 1


@pytest.mark.parametrize("threads", ["1", "2"])
def test_error_of_the_probe_is_raised(
    data: Dataset, parameters: Parameters, monkeypatch: pytest.MonkeyPatch, threads: str
) -> None:
    from training import checkpoint_building

    def fail(*arguments: object) -> None:
        raise MemoryError("no memory for the features")

    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", threads)
    monkeypatch.setattr(checkpoint_building, "fit_digit_probe", fail)
    with pytest.raises(MemoryError, match="no memory for the features"):
        checkpoint_building.build_checkpoint(parameters, SMALL, data)
