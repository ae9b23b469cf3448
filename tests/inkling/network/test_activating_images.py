import numpy as np

from inkling.digit import NUM_PIXELS, Images
from inkling.network.activating_images import SHOWN, find_activating_images
from inkling.network.forward import sigmoid
from tests.support.networks import random_parameters


def random_images(count: int) -> Images:
    return np.random.default_rng(3).integers(0, 256, (count, 28, 28), np.uint8)


def test_most_exciting_images_are_those_of_the_highest_sums_however_they_are_divided() -> None:
    # given
    images, p = random_images(100), random_parameters(5)
    x = images.reshape(-1, NUM_PIXELS).astype(np.float32) / np.float32(255)
    first = x @ p["weights/h1"] + p["biases/b1"]
    second = sigmoid(first) @ p["weights/h2"] + p["biases/b2"]
    for parts in ([100], [3, 60, 37], [1] * 100):
        # when
        found = find_activating_images(p, np.split(images, np.cumsum(parts)[:-1]))
        # then
        for layer, sums in zip(found, (first, second), strict=True):
            highest = np.argsort(-sums, axis=0, kind="stable")[:SHOWN].T  # (units, 8)
            np.testing.assert_allclose(
                np.take_along_axis(sums.T, layer.indices, axis=1),
                np.take_along_axis(sums.T, highest, axis=1),
                rtol=1e-5,
            )
            np.testing.assert_array_equal(layer.images, images[layer.indices])
            np.testing.assert_allclose(
                layer.activations, sigmoid(np.take_along_axis(sums.T, layer.indices, axis=1)), rtol=1e-5
            )


def test_units_that_all_images_saturate_still_have_an_order() -> None:
    p = random_parameters(5)
    saturated = p | {"biases/b1": p["biases/b1"] + 90}
    images = random_images(50)
    first, _ = find_activating_images(saturated, [images])
    sums = images.reshape(-1, NUM_PIXELS).astype(np.float32) @ p["weights/h1"]
    assert (first.activations == 1).all()
    assert (sums[first.indices[:, 0], np.arange(128)] >= sums.max(axis=0) - 0.02 * np.ptp(sums, axis=0)).all()


def test_fewer_images_than_are_shown_are_all_shown() -> None:
    images = random_images(3)
    for layer in find_activating_images(random_parameters(5), [images]):
        assert layer.indices.shape[1] == 3
        assert (np.sort(layer.indices, axis=1) == [0, 1, 2]).all()
