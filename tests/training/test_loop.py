import math
from dataclasses import replace

import numpy as np
import pytest

from inkling.errors import DatasetError
from inkling.mnist import Dataset, Split
from inkling.network.recipe import TUTORIAL, Recipe
from inkling.registry.records import Progress
from tests.support.trainings import (
    SMALL,
    Trained,
    accuracy_by_reference,
    assert_same_bytes,
    read_by_reference,
    train,
)
from training.data.shuffling import shuffled_batches

pytestmark = pytest.mark.train


def train_by_published_steps(recipe: Recipe, split: Split) -> Trained:
    """Train with the tutorial's eager steps, on the batches of the compiled loop."""
    import tensorflow as tf

    from training.model import (
        accuracy,
        cross_entropy,
        initial_biases,
        initial_weights,
        named,
        neural_net,
        run_optimization,
    )
    from training.tutorial import flat_floats

    x_train = flat_floats(split.images)
    weights, biases = initial_weights(recipe.seed), initial_biases()
    optimizer = tf.optimizers.SGD(recipe.learning_rate)
    lines: list[Progress] = []
    for step, batch in enumerate(np.concatenate(list(shuffled_batches(recipe, len(split)))), 1):
        batch_x, batch_y = x_train[batch], split.labels[batch]
        run_optimization(batch_x, batch_y, weights, biases, optimizer)
        if step % recipe.display_step == 0:
            pred = neural_net(batch_x, weights, biases)
            shown = float(cross_entropy(pred, batch_y)), float(accuracy(pred, batch_y))
            lines.append(Progress(step, *shown, None, 0.0))
    return Trained({name: variable.numpy() for name, variable in named(weights, biases).items()}, lines)


def test_compiled_loop_trains_the_same_network_as_the_published_steps(data: Dataset, trained: Trained) -> None:
    published = train_by_published_steps(SMALL, data.hold_out(500)[0])
    for name, array in published.parameters.items():
        np.testing.assert_allclose(trained.parameters[name], array, rtol=0, atol=1e-4)
    for line, expected in zip(trained.lines, published.lines, strict=True):
        assert line.step == expected.step
        assert line.loss == pytest.approx(expected.loss, rel=1e-4)
        assert line.accuracy == pytest.approx(expected.accuracy, abs=1.5 / 256)


def test_compiled_steps_train_the_same_network_as_uncompiled_ones(data: Dataset) -> None:
    import tensorflow as tf

    recipe = SMALL.with_overrides({"training_steps": 25, "display_step": 10})
    compiled = train(recipe, data)
    tf.config.run_functions_eagerly(True)
    try:
        eager = train(recipe, data)
    finally:
        tf.config.run_functions_eagerly(False)
    for name, array in eager.parameters.items():
        np.testing.assert_allclose(compiled.parameters[name], array, rtol=0, atol=1e-5)
    for line, expected in zip(compiled.lines, eager.lines, strict=True):
        assert line.loss == pytest.approx(expected.loss, rel=1e-5)


def test_network_learns(data: Dataset, trained: Trained) -> None:
    assert trained.lines[1].loss < trained.lines[0].loss < 256 * math.log(10)
    assert accuracy_by_reference(data, trained.parameters) > 0.5


def test_same_seed_gives_the_same_network(data: Dataset, trained: Trained) -> None:
    again = train(SMALL, data)
    assert_same_bytes(again.parameters, trained.parameters)
    assert [replace(line, elapsed_s=0) for line in again.lines] == [
        replace(line, elapsed_s=0) for line in trained.lines
    ]


def test_different_seed_gives_a_different_network(data: Dataset, trained: Trained) -> None:
    other = train(SMALL.with_overrides({"seed": 1}), data)
    assert all(not np.array_equal(array, trained.parameters[name]) for name, array in other.parameters.items())


def test_progress_is_reported_at_every_display_step(trained: Trained) -> None:
    assert [line.step for line in trained.lines] == [100, 200]
    assert all(math.isfinite(line.loss) and 0 <= line.accuracy <= 1 for line in trained.lines)
    assert 0 < trained.lines[0].elapsed_s < trained.lines[1].elapsed_s


def test_steps_after_the_last_display_step_are_trained_too(data: Dataset, trained: Trained) -> None:
    shorter = train(SMALL.with_overrides({"training_steps": 200}), data)
    assert [line.step for line in shorter.lines] == [100, 200]
    assert not np.array_equal(shorter.parameters["weights/out"], trained.parameters["weights/out"])


def test_grouping_of_the_steps_into_calls_changes_nothing(data: Dataset, trained: Trained) -> None:
    recipe = SMALL.with_overrides({"display_step": 30})
    other = train(recipe, data)
    assert [line.step for line in other.lines] == list(range(30, 250, 30))
    for name, array in other.parameters.items():
        np.testing.assert_allclose(array, trained.parameters[name], rtol=0, atol=1e-4)


def test_training_shorter_than_a_display_step_reports_no_progress(data: Dataset) -> None:
    short = train(SMALL.with_overrides({"training_steps": 3, "display_step": 100}), data)
    assert short.lines == []
    assert not np.array_equal(short.parameters["biases/out"], np.zeros(10))


def test_validation_accuracy_is_of_the_held_out_images(data: Dataset) -> None:
    # given: a training that ends with a display step
    recipe = SMALL.with_overrides({"training_steps": 200})
    ended = train(recipe, data)
    _, validation = data.hold_out(500)
    # then
    is_correct = read_by_reference(validation.images, ended.parameters).argmax(axis=1) == validation.labels
    assert ended.lines[-1].validation_accuracy == pytest.approx(is_correct.mean(), abs=1.5 / 500)


def test_without_held_out_images_there_is_no_validation_accuracy(data: Dataset) -> None:
    ended = train(SMALL.with_overrides({"training_steps": 20, "display_step": 10, "validation_size": 0}), data)
    assert [line.validation_accuracy for line in ended.lines] == [None, None]


def test_held_out_images_are_never_learned_from(data: Dataset) -> None:
    # given: the same training images, but different ones held out
    split = data.train
    noise = np.random.default_rng(1).integers(0, 256, (500, 28, 28), np.uint8)
    other = replace(data, train=Split(np.concatenate([split.images[:1500], noise]), split.labels))
    recipe = SMALL.with_overrides({"training_steps": 50, "display_step": 50})
    # then
    one, two = train(recipe, data), train(recipe, other)
    assert_same_bytes(one.parameters, two.parameters)
    assert one.lines[0].validation_accuracy != two.lines[0].validation_accuracy


def test_test_images_are_never_learned_from(data: Dataset) -> None:
    recipe = SMALL.with_overrides({"training_steps": 10, "display_step": 10})
    other = replace(data, test=data.test[:1])
    assert_same_bytes(train(recipe, data).parameters, train(recipe, other).parameters)


def test_batch_may_be_larger_than_the_dataset(data: Dataset) -> None:
    few = replace(data, train=data.train[:7])
    recipe = SMALL.with_overrides({"training_steps": 4, "display_step": 2, "batch_size": 16, "validation_size": 3})
    assert [line.step for line in train(recipe, few).lines] == [2, 4]


def test_exception_of_the_callback_ends_the_training(data: Dataset) -> None:
    from training import loop

    class EnoughError(Exception):
        pass

    steps: list[int] = []

    def stop(progress: Progress, _: object) -> None:
        steps.append(progress.step)
        raise EnoughError

    with pytest.raises(EnoughError):
        loop.train(SMALL, data, stop)
    assert steps == [100]


def test_nothing_left_to_train_on_is_an_error(data: Dataset) -> None:
    with pytest.raises(DatasetError, match="validation_size 5000 leaves nothing to train on"):
        train(TUTORIAL, data)


def test_diverged_training_raises_an_error_with_the_loss_and_the_learning_rate(data: Dataset) -> None:
    from training import loop

    recipe = SMALL.model_copy(update={"learning_rate": 3e38, "training_steps": 20, "display_step": 10})
    with pytest.raises(
        loop.DivergedError,
        match=r"the loss is nan after step 10, and training cannot recover from more than 2357\.85: "
        r"the learning rate 3e\+38 is too high for batches of 256; lower it",
    ):
        train(recipe, data)


def test_divergence_after_the_last_display_step_is_an_error_too(data: Dataset) -> None:
    from training import loop

    recipe = SMALL.model_copy(update={"learning_rate": 3e38, "training_steps": 20, "display_step": 100})
    with pytest.raises(loop.DivergedError, match="the loss is nan after step 20"):
        train(recipe, data)
