import math

import numpy as np
import pytest
from numpy.typing import NDArray

from inkling.digit import Floats
from inkling.network.recipe import ACCURATE, TUTORIAL, Recipe
from tests.support.digits import make_digits

pytestmark = pytest.mark.train

STILL = TUTORIAL.with_overrides({})
MIDDLE = 0.5
"""The choice that changes nothing: halfway between the two extremes."""


def digits(count: int) -> Floats:
    return (make_digits(count, seed=5)[0].reshape(count, 784) / 255).astype(np.float32)


def choices(count: int, **at: float) -> Floats:
    """Return choices that change nothing, except those at some positions, c0 to c15."""
    values = np.full((count, 16), MIDDLE, np.float32)
    for position, value in at.items():
        values[:, int(position[1:])] = value
    return values


def distorted(x: Floats, values: Floats, recipe: Recipe) -> Floats:
    import tensorflow as tf

    from training.data.augmentation import distort, sample_inputs

    displacements = sample_inputs(1, len(x), tf.constant([0, 0])).at_step(0, corrupted=0).displacements
    result: Floats = distort(x, 2 * values - 1, displacements * recipe.elastic, recipe).numpy()
    return result


def center_of_mass(x: Floats) -> NDArray[np.float64]:
    """Return columns and rows (n, 2)."""
    images = x.reshape(-1, 28, 28).astype(np.float64)
    rows, columns = np.mgrid[:28, :28]
    total = images.sum(axis=(1, 2))
    return np.stack([(images * columns).sum(axis=(1, 2)) / total, (images * rows).sum(axis=(1, 2)) / total], axis=1)


def test_recipe_without_changes_leaves_the_images_as_they_are() -> None:
    x = digits(20)
    np.testing.assert_allclose(distorted(x, choices(20), STILL), x, atol=1e-5)


def test_shift_moves_a_digit_by_whole_pixels_and_by_fractions() -> None:
    x = digits(20)
    recipe = STILL.with_overrides({"shift": 2})
    moved = distorted(x, choices(20, c4=1.0), recipe).reshape(-1, 28, 28)
    np.testing.assert_allclose(moved[:, :, :26], x.reshape(-1, 28, 28)[:, :, 2:], atol=1e-5)
    half = distorted(x, choices(20, c5=0.625), recipe)
    np.testing.assert_allclose(center_of_mass(half) - center_of_mass(x), [[0, -0.5]] * 20, atol=0.02)


def test_rotation_by_a_right_angle_is_that_of_numpy() -> None:
    x = digits(20)
    quarter = STILL.model_copy(update={"rotation": 90})
    rotated = distorted(x, choices(20, c0=1.0), quarter).reshape(-1, 28, 28)
    np.testing.assert_allclose(rotated, np.rot90(x.reshape(-1, 28, 28), 1, axes=(1, 2)), atol=1e-4)


def test_scale_changes_one_axis_by_its_factor() -> None:
    x = digits(20).reshape(-1, 28, 28)
    recipe = STILL.with_overrides({"scale": 0.2})
    narrow = distorted(x.reshape(-1, 784), choices(20, c1=1.0), recipe).reshape(-1, 28, 28)
    np.testing.assert_allclose(narrow.sum(axis=(1, 2)) / x.sum(axis=(1, 2)), math.exp(-0.2), rtol=0.03)
    tall = (narrow > 0.5).any(axis=2).sum(axis=1) - (x > 0.5).any(axis=2).sum(axis=1)
    assert np.abs(tall).max() <= 1


def test_elastic_distortion_moves_pixels_by_its_standard_deviation() -> None:
    # given: a ramp, whose values show where each pixel was read
    ramp = np.tile(np.arange(28) / 28, (4000, 28)).astype(np.float32)
    # when
    bent = distorted(ramp, choices(4000), STILL.with_overrides({"elastic": 0.5})).reshape(-1, 28, 28)
    # then
    moved = (bent - ramp.reshape(-1, 28, 28))[:, 4:24, 4:24] * 28
    assert moved.std() == pytest.approx(0.5, rel=0.03)
    assert abs(moved.mean()) < 0.02
    neighbors = np.corrcoef(moved[:, 10, 10], moved[:, 10, 11])[0, 1]
    far = np.corrcoef(moved[:, 2, 2], moved[:, 18, 18])[0, 1]
    assert neighbors > 0.95
    assert abs(far) < 0.06


def test_strokes_are_dilated_and_eroded() -> None:
    from training.data.augmentation import erode_or_dilate

    x = np.zeros((2, 28, 28), np.float32)
    x[:, 10:14, 5:20] = 1
    amounts = np.array([[1.0], [-1.0]], np.float32)
    dilated, eroded = erode_or_dilate(x.reshape(2, 784), amounts).numpy().reshape(2, 28, 28)
    assert (dilated.sum(), eroded.sum()) == (4 * 15 + 2 * (4 + 15), 2 * 13)


def test_only_the_corrupted_share_is_corrupted() -> None:
    import tensorflow as tf

    from training.data.augmentation import augment, sample_inputs

    x = digits(40)
    inputs = sample_inputs(1, 40, tf.constant([0, 0])).at_step(0, corrupted=10)
    still = np.concatenate([np.full((40, 7), MIDDLE, np.float32), inputs.choices[:, 7:]], 1)
    changed = np.abs(augment(x, inputs._replace(choices=still), 1.0, STILL).numpy() - x).max(axis=1) > 1e-4
    assert changed[:10].sum() >= 9
    assert not changed[10:].any()


def test_same_seed_gives_the_same_changes_and_another_seed_different_ones() -> None:
    import tensorflow as tf

    from training.data.augmentation import augment, sample_inputs

    x = digits(32)

    def changed(seed: int) -> Floats:
        key = tf.constant([seed, 0])
        result: Floats = augment(x, sample_inputs(1, 32, key).at_step(0, corrupted=6), 1.0, ACCURATE).numpy()
        return result

    assert changed(1).tobytes() == changed(1).tobytes()
    assert (np.abs(changed(1) - changed(2)).max(axis=1) > 0.05).all()


def test_steps_share_displacements_and_noise_but_no_image_gets_the_same_twice() -> None:
    import tensorflow as tf

    from training.data.augmentation import FRESH_ROWS, sample_inputs

    inputs = sample_inputs(3, 32, tf.constant([0, 0]))
    first, second = (inputs.at_step(i, corrupted=10) for i in range(2))
    np.testing.assert_array_equal(first.displacements[FRESH_ROWS:], second.displacements[:-FRESH_ROWS])
    assert len(np.unique(inputs.displacements[:, 0, 0])) == len(inputs.displacements) == 3 * FRESH_ROWS + 32
    assert len(np.unique(inputs.noise[:, 0, 0])) == len(inputs.noise)
    assert not np.isclose(first.choices, second.choices).all(axis=1).any()


def test_distortions_are_annealed_to_half_in_the_last_steps() -> None:
    import tensorflow as tf

    from training.data.augmentation import strength_at

    recipe = ACCURATE.with_overrides({"anneal_fraction": 0.2, "training_steps": 1000})
    strengths = [float(strength_at(tf.constant(step), recipe)) for step in (0.0, 800.0, 900.0, 1000.0)]
    assert strengths == pytest.approx([1, 1, 0.75, 0.5])
    assert float(strength_at(tf.constant(1000.0), recipe.with_overrides({"anneal_fraction": 0}))) == 1


def test_images_keep_their_digit_under_the_accurate_recipe() -> None:
    """Digits keep their mass: none is lost beyond the edge, none is torn."""
    import tensorflow as tf

    from training.data.augmentation import augment, sample_inputs

    x = digits(500)
    y = augment(x, sample_inputs(1, 500, tf.constant([3, 0])).at_step(0, corrupted=0), 1.0, ACCURATE).numpy()
    ratio = y.sum(axis=1) / x.sum(axis=1)
    assert 1 / 3 < ratio.min() < ratio.max() < 3
    assert np.abs(center_of_mass(y) - center_of_mass(x)).max() < ACCURATE.shift + 3 * ACCURATE.elastic
