import numpy as np
import pytest
from numpy.typing import NDArray

from inkling.network.checkpoint import Checkpoint
from inkling.network.forward import forward, sigmoid, softmax
from tests.support.reference import layers


def test_forward_pass_is_that_of_the_reference(shipped: Checkpoint, digits: NDArray[np.uint8]) -> None:
    x = digits.reshape(-1, 784) / 255
    p = {name: array.astype(np.float64) for name, array in shipped.parameters.items()}
    np.testing.assert_allclose(forward(x, p), layers(x, p)[2], rtol=1e-10, atol=1e-300)


def test_temperature_divides_the_logits(shipped: Checkpoint, digits: NDArray[np.uint8]) -> None:
    x = digits.reshape(-1, 784) / 255
    p = {name: array.astype(np.float64) for name, array in shipped.parameters.items()}
    plain, tempered = np.log(forward(x, p)), np.log(forward(x, p, temperature=4.0))
    np.testing.assert_allclose(tempered - tempered[:, :1], (plain - plain[:, :1]) / 4, rtol=1e-9, atol=1e-9)


def test_sigmoid_is_the_logistic_function() -> None:
    x = np.linspace(-30, 30, 601)
    np.testing.assert_allclose(sigmoid(x), 1 / (1 + np.exp(-x)), atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_inputs_do_not_overflow(dtype: type[np.float32]) -> None:
    largest = np.finfo(dtype).max
    np.testing.assert_array_equal(sigmoid(np.array([-largest, 0, largest], dtype)), [0, 0.5, 1])
    np.testing.assert_array_equal(softmax(np.array([[-largest / 2, 0, largest / 2]], dtype)), [[0, 0, 1]])
