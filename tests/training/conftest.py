from collections.abc import Iterator
from pathlib import Path

import pytest

from inkling.mnist import Dataset, read_folder
from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from tests.support.runs import Outcome, published, queue, without_times
from tests.support.trainers import Trainers, start_trainers
from tests.support.trainings import SMALL, Trained, train


@pytest.fixture(scope="session")
def data(small_mnist_dir: Path) -> Dataset:
    return read_folder(small_mnist_dir)


@pytest.fixture(scope="session")
def trained(data: Dataset) -> Trained:
    """An uninterrupted training of SMALL in this process."""
    return train(SMALL, data)


@pytest.fixture(scope="session")
def trainers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trainers]:
    with start_trainers(tmp_path_factory.mktemp("trainers")) as trainers:
        yield trainers


@pytest.fixture(scope="session")
def expected(trainers: Trainers, tmp_path_factory: pytest.TempPathFactory, small_mnist_dir: Path) -> Outcome:
    """The outcome of an uninterrupted run of SHORT."""
    store = StoreSettings(data_dir=tmp_path_factory.mktemp("uninterrupted"), mnist_dir=small_mnist_dir)
    registry = Registry(store.registry_url)
    run = queue(registry)
    assert trainers.work(store) == 0, trainers.log
    outcome = Outcome(published(registry)[0].digest, without_times(registry.runs.progress(run.id)))
    registry.close()
    return outcome
