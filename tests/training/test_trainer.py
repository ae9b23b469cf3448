import numpy as np
import pytest

from tests.support.networks import random_parameters
from tests.support.trainings import random_batch, values_of, variables_of

pytestmark = pytest.mark.train


@pytest.mark.parametrize("is_compiled", [False, True], ids=["eager", "compiled"])
@pytest.mark.parametrize("images", [1, 2, 33, 256])
def test_sgd_step_of_the_compiled_loop_equals_the_published_step(images: int, is_compiled: bool) -> None:
    import tensorflow as tf

    from training.model import run_optimization
    from training.trainer import take_sgd_step

    # given: two copies of a network
    published, ours = (variables_of(random_parameters(seed=5)) for _ in range(2))
    optimizer = tf.optimizers.SGD(0.1)
    step = tf.function(take_sgd_step, jit_compile=True, autograph=False) if is_compiled else take_sgd_step
    # when: each takes three steps on the same images
    x, y = (tf.constant(array) for array in random_batch(images))
    for _ in range(3):
        run_optimization(x, y, *published, optimizer)
        step(x, y, *ours, tf.constant(0.1))
    # then: they are equal up to the rounding of float32
    before = random_parameters(seed=5)
    for name, expected in values_of(*published).items():
        change = float(np.abs(expected - before[name]).max())
        assert change > 1e-4
        np.testing.assert_allclose(values_of(*ours)[name], expected, rtol=1e-6, atol=1e-4 * change, err_msg=name)
