import numpy as np
import pytest
from numpy.typing import NDArray

from tests.digits import make_digits
from training.checkpoint import CheckpointError
from training.recipe import ACCURATE

pytestmark = pytest.mark.train

RECIPE = ACCURATE.with_overrides(
    {"training_steps": 100, "teacher": 0.5, "warmup_steps": 5, "display_step": 10, "batch_size": 32}
)


def batches(steps: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    images, labels = make_digits(steps * 32, seed=1)
    x = (images.reshape(steps, 32, 784) / np.float32(255)).astype(np.float32)
    return x, labels.reshape(steps, 32).astype(np.int32)


def test_teacher_learns_its_digits() -> None:
    import tensorflow as tf

    from training.teacher import Teacher

    teacher = Teacher(RECIPE)
    x, y = batches(40)
    first, _ = teacher.learn(tf.constant(x), tf.constant(y), tf.constant(0))
    last, accuracy = teacher.learn(tf.constant(x), tf.constant(y), tf.constant(40))
    assert float(last) < float(first)
    assert float(accuracy) > 0.9
    assert (np.asarray(teacher.logits(tf.constant(x[0]))).argmax(axis=1) == y[0]).mean() > 0.5  # of the averages


def test_teacher_says_the_same_of_an_image_in_any_shape() -> None:
    import tensorflow as tf

    from training.teacher import Teacher

    teacher = Teacher(RECIPE)
    x, _ = batches(2)
    together = np.asarray(teacher.logits(tf.constant(x)))
    assert together.shape == (2, 32, 10)
    np.testing.assert_allclose(together[1], np.asarray(teacher.logits(tf.constant(x[1]))), rtol=0, atol=1e-5)


def test_teacher_of_another_shape_is_refused() -> None:
    from training.learner import Learner
    from training.state import TrainingState

    learner = Learner(RECIPE)
    state = learner.copy_state(10, 1.0)
    slots = {**state.slots, "teacher/out/bias": np.zeros(11, np.float32)}
    with pytest.raises(CheckpointError, match=r"teacher/out/bias has shape \(11,\), expected \(10,\)"):
        learner.restore(TrainingState(10, 1.0, state.parameters, slots))


def test_teacher_that_is_not_finite_is_refused() -> None:
    from training.learner import Learner
    from training.state import TrainingState

    state = Learner(RECIPE).copy_state(10, 1.0)
    slots = {**state.slots, "teacher_averages/out/bias": np.full(10, np.nan, np.float32)}
    with pytest.raises(CheckpointError, match="teacher_averages/out/bias holds values that are not finite"):
        TrainingState.from_snapshot(TrainingState(10, 1.0, state.parameters, slots).to_snapshot())
