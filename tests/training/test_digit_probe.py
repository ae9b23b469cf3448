"""The digit probe: fitted on held-out digits and drawn non-digits, it finds non-digits and loses few digits."""

import numpy as np
import pytest

from inkling.digit import Gray
from inkling.mnist import Dataset
from inkling.network.checkpoint import PROBE_SHAPES, SHAPES, Checkpoint, load, save
from inkling.network.classifier import Classifier
from inkling.network.digit_probe import probe_features
from inkling.network.forward import sigmoid
from tests.support.digits import make_digits
from tests.support.trainings import SMALL, Trained

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def probed(shipped: Checkpoint) -> Checkpoint:
    """The shipped network with a probe that was fitted on digits of a font."""
    from training.digit_probe import draw_probe_pictures, fit_digit_probe

    parameters = {name: array for name, array in shipped.parameters.items() if name in SHAPES}
    pictures = draw_probe_pictures(make_digits(3600, seed=23)[0], make_digits(600, seed=20)[0], seed=1, effort=0.5)
    fitted, fit = fit_digit_probe(parameters, pictures, seed=1, effort=0.5)
    return save(fitted, shipped.card.model_copy(update={"digit_probe": fit}))


def test_probe_finds_pictures_without_a_digit_and_keeps_digits(probed: Checkpoint) -> None:
    from training.data.non_digits import draw_non_digits

    classifier = Classifier(probed, version=1)
    digits = classifier.read(make_digits(300, seed=21)[0]).digit_scores
    others = classifier.read(draw_non_digits(300, make_digits(50, seed=22)[0], seed=9)[0]).digit_scores
    assert digits is not None
    assert others is not None
    assert (digits < 0.5).mean() <= 0.05
    assert (others < 0.5).mean() >= 0.8


def test_card_says_how_the_probe_was_fitted(probed: Checkpoint) -> None:
    from training.data.non_digits import KINDS

    fit = load(probed.content).card.digit_probe
    assert fit is not None
    assert (fit.digits, fit.non_digits) == (2400 + 1200 + 360, 1906)
    assert fit.lost <= 0.02
    assert fit.found.keys() == KINDS.keys()
    assert np.mean(list(fit.found.values())) >= 0.8


def test_short_training_gets_a_smaller_fit() -> None:
    from training.digit_probe import fit_effort

    assert [fit_effort(steps) for steps in (1, 3000, 24_000, 48_000, 500_000)] == [1 / 16, 1 / 16, 1 / 2, 1, 1]


def test_same_training_makes_the_same_probe(data: Dataset, trained: Trained) -> None:
    from training.checkpoint_building import build_checkpoint

    first, again = (build_checkpoint(trained.parameters, SMALL, data) for _ in range(2))
    assert first.content == again.content
    assert first.parameters.keys() == SHAPES.keys() | PROBE_SHAPES.keys()


def test_too_few_held_out_images_make_no_probe(data: Dataset, trained: Trained) -> None:
    from training.checkpoint_building import build_checkpoint

    for held_out in (0, 199):
        checkpoint = build_checkpoint(trained.parameters, SMALL.with_overrides({"validation_size": held_out}), data)
        assert checkpoint.parameters.keys() == SHAPES.keys()
        assert checkpoint.card.digit_probe is None


def test_features_are_the_activations_and_the_largest_logit(shipped: Checkpoint, digits: Gray) -> None:
    features = probe_features(np.concatenate([digits] * 60), shipped.parameters)
    assert features.shape == (1200, 385)
    p = {name: array.astype(np.float64) for name, array in shipped.parameters.items()}
    layer_1 = sigmoid(digits.reshape(-1, 784) / 255 @ p["weights/h1"] + p["biases/b1"])
    layer_2 = sigmoid(layer_1 @ p["weights/h2"] + p["biases/b2"])
    logits = layer_2 @ p["weights/out"] + p["biases/out"]
    expected = np.concatenate([layer_1, layer_2, logits.max(axis=1, keepdims=True)], axis=1)
    np.testing.assert_allclose(features[-20:], expected, atol=1e-4)


@pytest.mark.train
@pytest.mark.parametrize("rows", [1, 3, 5000, 100_000])
def test_rows_are_those_of_a_binary_search(rows: int) -> None:
    from training.digit_probe import GUIDES, _row_finder

    random = np.random.default_rng(rows)
    weights = random.random(rows) ** 8  # some rows have next to no weight
    up_to = np.cumsum(weights) / weights.sum()
    numbers = np.concatenate([random.random(10_000), up_to[:-1][:5000], np.arange(GUIDES) / GUIDES])
    assert np.array_equal(_row_finder(up_to)(numbers), np.searchsorted(up_to, numbers))
