from collections.abc import Iterator
from pathlib import Path

import pytest

from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from tests.support.runs import Undisturbed, queue, told
from tests.support.trainers import Trainers, start_trainers


@pytest.fixture
def registry(store: StoreSettings) -> Iterator[Registry]:
    registry = Registry(store.registry_url)
    yield registry
    registry.close()


@pytest.fixture(scope="session")
def trainers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trainers]:
    with start_trainers(tmp_path_factory.mktemp("trainers")) as trainers:
        yield trainers


@pytest.fixture(scope="session")
def undisturbed(trainers: Trainers, tmp_path_factory: pytest.TempPathFactory, small_mnist_dir: Path) -> Undisturbed:
    """What a run comes to that no trainer died of."""
    store = StoreSettings(data_dir=tmp_path_factory.mktemp("undisturbed"), mnist_dir=small_mnist_dir)
    registry = Registry(store.registry_url)
    run = queue(registry)
    assert trainers.work(store) == 0
    ended = Undisturbed(registry.versions.get(1).digest, told(registry.runs.progress(run.id)))
    registry.close()
    return ended
