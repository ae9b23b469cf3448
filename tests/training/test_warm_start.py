"""The warm start of a trainer: runs that use again what it kept, and that this changes no bit of them."""

import gc
import shutil
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inkling.digit import NUM_PIXELS
from inkling.errors import DatasetError
from inkling.mnist import TRAIN_LABELS, Dataset
from inkling.network.recipe import Recipe
from inkling.registry.records import Answered, Lease, Progress, Run
from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from tests.support.networks import make_checkpoint, random_parameters
from tests.support.runs import LONG_S, OWNER, SHORT, queue
from tests.support.trainings import assert_same_bytes
from training.lessons import NO_LESSONS, Lessons
from training.process import StopRequested, StopSignal
from training.snapshot import Parameters
from training.warm_start import WarmStart
from training.worker import Worker

OPTIMIZERS: dict[str, dict[str, object]] = {
    "sgd": {},
    "adam": {"optimizer": "adam", "ema_decay": 0.9, "weight_decay": 0.01, "decay": "cosine", "warmup_steps": 5},
    "muon": {"optimizer": "muon", "shift": 1},
}


@pytest.fixture
def warm_start(store: StoreSettings) -> WarmStart:
    return WarmStart(store)


def train(recipe: Recipe, data: Dataset, warm_start: WarmStart, lessons: Lessons = NO_LESSONS) -> Parameters:
    from training import loop

    return loop.train(
        recipe,
        data,
        lambda *_: None,
        lessons=lessons,
        make_trainer=warm_start.trainer,
        make_tensors=warm_start.tensors,
    )


@pytest.mark.train
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_restarted_trainer_trains_the_same_network_as_a_new_one(
    data: Dataset, store: StoreSettings, warm_start: WarmStart, optimizer: str
) -> None:
    # given: a trainer with the traces of another run
    recipe = SHORT.with_overrides({"training_steps": 20, "learning_rate": 0.002, **OPTIMIZERS[optimizer]})
    train(recipe.with_overrides({"seed": 7, "learning_rate": 0.01}), data, warm_start)
    trainer = warm_start.trainer(recipe, 1800)
    # when: it is used again, once from the parameters of a version
    lessons = Lessons(base=random_parameters(2)) if optimizer == "adam" else NO_LESSONS
    again, new = (train(recipe, data, kept, lessons) for kept in (warm_start, WarmStart(store)))
    # then: nothing was compiled a second time
    assert_same_bytes(again, new)
    assert warm_start.trainer(recipe, 1800) is trainer
    assert trainer._run_steps.experimental_get_tracing_count() == 1


@pytest.mark.train
@pytest.mark.parametrize(
    ("changes", "images"), [({"batch_size": 33}, 1800), ({"weight_decay": 0.1}, 1800), ({}, 1801)], ids=str
)
def test_trainer_that_does_not_fit_makes_room_for_a_new_one(
    warm_start: WarmStart, changes: dict[str, object], images: int
) -> None:
    # given
    former = weakref.ref(warm_start.trainer(SHORT, 1800))
    # when
    trainer = warm_start.trainer(SHORT.with_overrides(changes), images)
    # then
    gc.collect()
    assert former() is None
    assert trainer.fits(SHORT.with_overrides(changes), images)


@pytest.mark.parametrize("setting", ["mnist_dir", "dataset"])
def test_dataset_is_read_again_only_when_its_files_have_changed(
    tmp_path: Path, small_mnist_dir: Path, setting: str
) -> None:
    # given
    folder = tmp_path / "mnist"
    shutil.copytree(small_mnist_dir, folder)
    (folder / "classes.txt").write_text("\n".join("0123456789"))
    warm_start = WarmStart(StoreSettings.model_validate({"data_dir": tmp_path / "data", setting: folder}))
    first = warm_start.dataset(lambda read, total: None)
    # when: a byte of it changes
    (labels,) = (path for path in folder.iterdir() if path.name.startswith(TRAIN_LABELS))
    assert warm_start.dataset(lambda read, total: None) is first
    content = bytearray(labels.read_bytes())
    content[-1] = (content[-1] + 1) % 10
    labels.write_bytes(content)
    # then
    changed = warm_start.dataset(lambda read, total: None)
    assert changed.digest != first.digest
    assert changed.train.labels[-1] == (first.train.labels[-1] + 1) % 10
    assert warm_start.dataset(lambda read, total: None) is changed
    # when: it is removed
    labels.unlink()
    # then
    with pytest.raises(DatasetError, match=TRAIN_LABELS):
        warm_start.dataset(lambda read, total: None)


@pytest.mark.train
def test_tensors_are_kept_for_the_same_part_of_the_dataset(data: Dataset, warm_start: WarmStart) -> None:
    train_split, _ = data.hold_out(200)
    images, labels = warm_start.tensors(train_split)
    assert np.array_equal(images.numpy().reshape(-1, 28, 28), train_split.images)
    assert np.array_equal(labels.numpy(), train_split.labels)
    assert warm_start.tensors(data.hold_out(200)[0])[0] is images
    assert len(warm_start.tensors(data.hold_out(300)[0])[0]) == len(train_split) - 100


def claim(registry: Registry, recipe: Recipe = SHORT) -> Lease:
    queue(registry, recipe)
    lease = registry.runs.claim(LONG_S, OWNER)
    assert lease is not None
    return lease


def digest_of(registry: Registry, run: Run) -> str:
    assert run.version is not None, run.error
    return registry.versions.get(run.version).digest


@pytest.mark.train
def test_runs_that_fail_or_are_cancelled_or_stopped_leave_nothing_to_the_next(
    registry: Registry, store: StoreSettings
) -> None:
    # given
    expected = digest_of(registry, Worker(registry, store, StopSignal()).train(claim(registry)))
    worker = Worker(registry, store, StopSignal())
    # when: its parameters become NaN; a learning rate above the limit of a recipe does it
    lease = claim(registry)
    absurd = SHORT.model_copy(update={"learning_rate": 3e38})
    failed = worker.train(replace(lease, run=replace(lease.run, recipe=absurd)))
    # then
    assert (failed.state, failed.error_type) == ("failed", "diverged")
    assert digest_of(registry, worker.train(claim(registry))) == expected

    # when
    lease = claim(registry)

    def cancel(progress: Progress) -> None:
        registry.runs.cancel(lease.run.id)

    # then
    assert worker.train(lease, cancel).state == "cancelled"
    assert digest_of(registry, worker.train(claim(registry))) == expected

    # when
    def stop(progress: Progress) -> None:
        raise StopRequested

    with pytest.raises(StopRequested):
        worker.train(claim(registry), stop)
    # then: the same trainer trains the stopped run, too
    again = registry.runs.claim(LONG_S, OWNER)
    assert again is not None
    warm = worker.train(again)
    assert digest_of(registry, warm) == expected
    # then: it left out what it had kept
    first = registry.runs.get(1).stages
    assert [stage.name for stage in first if stage.name != "starting TensorFlow"] == [
        "reading images", "compiling", "training", "measuring",
    ]  # fmt: skip
    assert [stage.name for stage in warm.stages] == ["training", "measuring"]


@pytest.mark.train
def test_more_corrections_are_learned_by_a_warm_trainer_as_by_a_new_one(
    registry: Registry, store: StoreSettings
) -> None:
    # given
    registry.versions.add_first(make_checkpoint())
    recipe = SHORT.with_overrides({"feedback": 0.25, "training_steps": 20, "validation_size": 100})
    worker, random = Worker(registry, store, StopSignal()), np.random.default_rng(1)
    digests = set()
    for _ in range(2):
        # when
        answers = [Answered(random.bytes(NUM_PIXELS), 1, 3, 0.5, None) for _ in range(20)]
        registry.corrections.add(answers, [i % 10 for i in range(20)], None)
        trained = [kept.train(claim(registry, recipe)) for kept in (worker, Worker(registry, store, StopSignal()))]
        # then
        warm, new = (digest_of(registry, run) for run in trained)
        assert warm == new
        digests.add(warm)
    assert len(digests) == 2
