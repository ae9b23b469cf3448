import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from inkling.errors import CheckpointError, DatasetError
from inkling.mnist import Dataset, Split, read_folder
from inkling.network.checkpoint import load
from inkling.network.evaluation import evaluate
from inkling.network.pretrained import load_pretrained
from inkling.network.recipe import ACCURATE, TUTORIAL, Recipe
from inkling.registry.records import Progress, Snapshot
from tests.support import reference
from tests.support.networks import Parameters, parameters_that_read, random_parameters
from training.data.shuffling import shuffled_batches
from training.snapshot import TrainingState

pytestmark = pytest.mark.train

SMALL = TUTORIAL.with_overrides({"training_steps": 250, "display_step": 100, "validation_size": 500})


@dataclass(frozen=True)
class Trained:
    parameters: Parameters
    lines: list[Progress]


def train(recipe: Recipe, data: Dataset) -> Trained:
    from training import loop

    lines: list[Progress] = []
    return Trained(loop.train(recipe, data, lambda progress, _: lines.append(progress)), lines)


@pytest.fixture(scope="module")
def data(small_mnist_dir: Path) -> Dataset:
    return read_folder(small_mnist_dir)


@pytest.fixture(scope="module")
def trained(data: Dataset) -> Trained:
    return train(SMALL, data)


def train_as_published(recipe: Recipe, split: Split) -> Trained:
    """Train as the tutorial is written: on the images themselves, one eager step after the other, in the loop's order.

    Which is by the rule of its pipeline, `repeat().shuffle().batch()`: test_order.py.
    """
    import tensorflow as tf

    from training.model import (
        accuracy,
        cross_entropy,
        initial_biases,
        initial_weights,
        neural_net,
    )

    # Convert to float32, flatten, normalize from [0, 255] to [0, 1].
    x_train = np.array(split.images, np.float32).reshape([-1, 784]) / np.float32(255.0)
    batches = np.concatenate(list(shuffled_batches(recipe, len(split))))
    weights, biases = initial_weights(recipe.seed), initial_biases()
    lines: list[Progress] = []
    for step, batch in enumerate(batches, 1):
        batch_x, batch_y = x_train[batch], split.labels[batch]
        with tf.GradientTape() as g:
            pred = neural_net(batch_x, weights, biases)
            loss = cross_entropy(pred, batch_y)
        trainable_variables = [*weights.values(), *biases.values()]
        for variable, gradient in zip(trainable_variables, g.gradient(loss, trainable_variables), strict=True):
            variable.assign_sub(recipe.learning_rate * gradient)
        if step % recipe.display_step == 0:
            pred = neural_net(batch_x, weights, biases)
            shown = float(cross_entropy(pred, batch_y)), float(accuracy(pred, batch_y))
            lines.append(Progress(step, *shown, None, 0.0))
    parameters = {f"weights/{name}": variable.numpy() for name, variable in weights.items()}
    parameters |= {f"biases/{name}": variable.numpy() for name, variable in biases.items()}
    return Trained(parameters, lines)


def assert_same_bytes(one: Parameters, other: Parameters) -> None:
    assert {name: array.tobytes() for name, array in one.items()} == {
        name: array.tobytes() for name, array in other.items()
    }


def read_by_reference(images: NDArray[np.uint8], parameters: Parameters) -> reference.Array:
    x = images.reshape(-1, 784) / 255.0
    return reference.layers(x, {name: array.astype(np.float64) for name, array in parameters.items()})[2]


def test_compiled_loop_learns_what_the_published_loop_learns(data: Dataset, trained: Trained) -> None:
    published = train_as_published(SMALL, data.hold_out(500)[0])
    for name, array in published.parameters.items():
        np.testing.assert_allclose(trained.parameters[name], array, rtol=0, atol=1e-4)
    for line, expected in zip(trained.lines, published.lines, strict=True):
        assert line.step == expected.step
        assert line.loss == pytest.approx(expected.loss, rel=1e-4)
        assert line.accuracy == pytest.approx(expected.accuracy, abs=1.5 / 256)


def test_compiled_steps_learn_what_the_same_steps_learn_one_by_one(data: Dataset) -> None:
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
    right = read_by_reference(data.test.images, trained.parameters).argmax(axis=1) == data.test.labels
    assert trained.lines[1].loss < trained.lines[0].loss < 256 * math.log(10)
    assert right.mean() > 0.5


def test_same_seed_gives_the_same_network(data: Dataset, trained: Trained) -> None:
    again = train(SMALL, data)
    assert_same_bytes(again.parameters, trained.parameters)
    assert [replace(line, elapsed_s=0) for line in again.lines] == [
        replace(line, elapsed_s=0) for line in trained.lines
    ]


def test_other_seed_gives_another_network(data: Dataset, trained: Trained) -> None:
    other = train(SMALL.with_overrides({"seed": 1}), data)
    assert all(not np.array_equal(array, trained.parameters[name]) for name, array in other.parameters.items())


def test_progress_is_shown_at_every_display_step(trained: Trained) -> None:
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


def test_training_shorter_than_a_display_step_shows_nothing(data: Dataset) -> None:
    short = train(SMALL.with_overrides({"training_steps": 3, "display_step": 100}), data)
    assert short.lines == []
    assert not np.array_equal(short.parameters["biases/out"], np.zeros(10))


def test_validation_accuracy_is_of_the_held_out_images(data: Dataset) -> None:
    # given: a training that ends with a display step
    recipe = SMALL.with_overrides({"training_steps": 200})
    ended = train(recipe, data)
    _, validation = data.hold_out(500)
    # then
    right = read_by_reference(validation.images, ended.parameters).argmax(axis=1) == validation.labels
    assert ended.lines[-1].validation_accuracy == pytest.approx(right.mean(), abs=1.5 / 500)


def test_without_held_out_images_there_is_no_validation_accuracy(data: Dataset) -> None:
    ended = train(SMALL.with_overrides({"training_steps": 20, "display_step": 10, "validation_size": 0}), data)
    assert [line.validation_accuracy for line in ended.lines] == [None, None]


def test_held_out_images_are_never_learned_from(data: Dataset) -> None:
    # given: the same training images, but others held out
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


def test_what_the_listener_raises_ends_the_training(data: Dataset) -> None:
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


def test_diverged_training_says_so(data: Dataset) -> None:
    from training import loop

    recipe = SMALL.model_copy(update={"learning_rate": 3e38, "training_steps": 20, "display_step": 10})
    with pytest.raises(
        loop.DivergedError,
        match=r"the loss is nan after step 10, and 2357\.85 is the most .*: the learning rate 3e\+38 is too high",
    ):
        train(recipe, data)


def test_training_that_diverges_after_the_last_display_step_says_so(data: Dataset) -> None:
    from training import loop

    recipe = SMALL.model_copy(update={"learning_rate": 3e38, "training_steps": 20, "display_step": 100})
    with pytest.raises(loop.DivergedError, match="the loss is nan after step 20"):
        train(recipe, data)


# the accurate recipe

BRISK = ACCURATE.with_overrides(
    {"training_steps": 300, "warmup_steps": 20, "display_step": 50, "validation_size": 500, "ema_decay": 0.9}
)


@pytest.fixture(scope="module")
def brisk(data: Dataset) -> Trained:
    return train(BRISK, data)


def test_accurate_recipe_learns_more_in_its_time(data: Dataset, trained: Trained, brisk: Trained) -> None:
    def right(parameters: Parameters) -> float:
        return float((read_by_reference(data.test.images, parameters).argmax(axis=1) == data.test.labels).mean())

    assert right(brisk.parameters) > max(0.9, right(trained.parameters))


def test_accurate_training_resumes_bit_for_bit(data: Dataset, brisk: Trained) -> None:
    from training import loop

    # given: a training that ends in its middle, after a snapshot
    class EnoughError(Exception):
        pass

    snapshots: list[Snapshot] = []

    def stop(progress: Progress, copy_state: Callable[[], TrainingState]) -> None:
        if progress.step == 150:
            snapshots.append(copy_state().to_snapshot())
            raise EnoughError

    with pytest.raises(EnoughError):
        loop.train(BRISK, data, stop)
    # when
    lines: list[Progress] = []
    state = TrainingState.from_snapshot(snapshots[0])
    parameters = loop.train(BRISK, data, lambda progress, _: lines.append(progress), state)
    # then
    assert_same_bytes(parameters, brisk.parameters)
    assert [line.step for line in lines] == [200, 250, 300]


def test_state_of_another_kind_of_recipe_is_refused(data: Dataset) -> None:
    from training import loop

    state = TrainingState(50, 1.0, random_parameters())
    with pytest.raises(CheckpointError, match=r"the state holds \[\], expected \['averages/biases/b1'"):
        loop.train(BRISK, data, lambda progress, _: None, state)


def test_validation_accuracy_is_of_the_averages_that_the_training_returns(data: Dataset, brisk: Trained) -> None:
    _, validation = data.hold_out(500)
    right = read_by_reference(validation.images, brisk.parameters).argmax(axis=1) == validation.labels
    assert brisk.lines[-1].validation_accuracy == pytest.approx(right.mean(), abs=1.5 / 500)


# predictions and the checkpoint


def test_predictions_are_those_of_the_formulas(data: Dataset) -> None:
    from training import loop

    parameters = random_parameters(seed=4)
    probabilities = loop.predict(data.test.images, parameters)
    assert probabilities.shape == (500, 10)
    assert probabilities.dtype == np.float32
    expected = read_by_reference(data.test.images, parameters)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-4, atol=1e-6)


def test_checkpoint_is_of_the_parameters_and_scored_on_the_test_images(data: Dataset, trained: Trained) -> None:
    from training import loop

    checkpoint = loop.build_checkpoint(trained.parameters, SMALL, data)
    card = load(checkpoint.content).card
    assert_same_bytes(checkpoint.parameters, trained.parameters)
    assert (card.recipe, card.dataset, card.dataset_digest) == (SMALL, "custom", data.digest)
    probabilities = loop.predict(data.test.images, trained.parameters, card.temperature)
    uncalibrated = loop.predict(data.test.images, trained.parameters)
    assert card.evaluation == evaluate(probabilities, data.test.labels, uncalibrated)
    assert card.evaluation.total == 500
    assert card.libraries.keys() == {"tensorflow", "keras", "numpy"}


def test_temperature_makes_the_held_out_labels_most_likely(data: Dataset, trained: Trained) -> None:
    from training import loop

    held_out = data.hold_out(500)[1]

    def loss(temperature: float) -> float:
        return evaluate(loop.predict(held_out.images, trained.parameters, temperature), held_out.labels).loss

    fitted = loop.build_checkpoint(trained.parameters, SMALL, data).card.temperature
    assert loss(fitted) < min(loss(fitted * 0.9), loss(fitted * 1.1), loss(1.0))


def test_without_held_out_images_the_temperature_is_one(data: Dataset, trained: Trained) -> None:
    from training import loop

    recipe = SMALL.with_overrides({"validation_size": 0})
    assert loop.build_checkpoint(trained.parameters, recipe, data).card.temperature == 1.0


def test_score_of_a_network_that_reads_one_digit_is_that_digits_share(data: Dataset) -> None:
    from training import loop

    checkpoint = loop.build_checkpoint(parameters_that_read(3), SMALL, data)
    assert checkpoint.card.evaluation.accuracy == 0.1


def test_network_that_is_not_finite_makes_no_checkpoint(data: Dataset) -> None:
    from training import loop

    parameters = random_parameters()
    parameters["weights/out"][0, 0] = np.inf
    with pytest.raises(CheckpointError, match="weights/out holds values that are not finite"):
        loop.build_checkpoint(parameters, SMALL, data)


# the real data


@pytest.fixture(scope="module")
def published_training() -> list[Trained]:
    """The one training of the whole tutorial on MNIST, kept for the tests that ask for it."""
    return []


@pytest.fixture
def tutorial_on_mnist(real_mnist_dir: Path, published_training: list[Trained]) -> Trained:
    """The tutorial exactly: all 60,000 images, 3,000 steps."""
    if not published_training:
        recipe = TUTORIAL.with_overrides({"validation_size": 0})
        published_training.append(train(recipe, read_folder(real_mnist_dir)))
    return published_training[0]


@pytest.mark.mnist
def test_tutorial_reaches_its_published_test_accuracy(tutorial_on_mnist: Trained, real_mnist_dir: Path) -> None:
    test = read_folder(real_mnist_dir).test
    right = read_by_reference(test.images, tutorial_on_mnist.parameters).argmax(axis=1) == test.labels
    assert 0.925 <= right.mean() <= 0.955


@pytest.mark.mnist
def test_tutorial_learns_as_its_published_log_shows(tutorial_on_mnist: Trained) -> None:
    # the published lines: step 100: 567.3, 0.137; 500: 138.6, 0.887; 1000: 81.7, 0.906; 2000: 59.3, 0.918;
    # 3000: 43.9, 0.949. Each is of one random batch of 256; over eight seeds ours were at step 100: 556 to 575,
    # 0.14 to 0.42; at 500: 120 to 151, 0.81 to 0.90; at 3000: 37 to 62, 0.93 to 0.97.
    lines = {line.step: line for line in tutorial_on_mnist.lines}
    assert list(lines) == list(range(100, 3001, 100))
    assert 530 < lines[100].loss < 600
    assert lines[100].accuracy < 0.6
    for step, loss in ((500, 138.6), (1000, 81.7), (2000, 59.3), (3000, 43.9)):
        assert 0.5 * loss < lines[step].loss < 1.7 * loss
    for step, accuracy in ((500, 0.887), (1000, 0.906), (2000, 0.918), (3000, 0.949)):
        assert lines[step].accuracy == pytest.approx(accuracy, abs=0.09)


@pytest.mark.mnist
def test_shipped_checkpoint_proves_its_card(real_mnist_dir: Path) -> None:

    # given
    shipped = load_pretrained()
    data = read_folder(real_mnist_dir)
    # when
    tempered = {
        name: array / shipped.card.temperature if name.endswith("/out") else array
        for name, array in shipped.parameters.items()
    }
    evaluation = evaluate(read_by_reference(data.test.images, tempered).astype(np.float32), data.test.labels)
    # then: the same but for the last bits of float32, which may move one image that is on the edge
    assert (shipped.card.dataset, shipped.card.dataset_digest) == ("mnist", data.digest)
    assert shipped.card.evaluation.total == evaluation.total == 10_000
    assert abs(shipped.card.evaluation.correct - evaluation.correct) <= 1
    assert shipped.card.evaluation.loss == pytest.approx(evaluation.loss, rel=1e-4)
    assert shipped.card.evaluation.calibration_error == pytest.approx(evaluation.calibration_error, abs=2e-4)
    assert shipped.card.recipe == ACCURATE
    assert shipped.card.evaluation.correct >= 9_930
