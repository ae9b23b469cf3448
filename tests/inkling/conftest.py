from collections.abc import Iterator
from pathlib import Path

import pytest

from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from tests.support.digits import write_mnist


@pytest.fixture
def registry(store: StoreSettings) -> Iterator[Registry]:
    registry = Registry(store.registry_url)
    yield registry
    registry.close()


@pytest.fixture(scope="session")
def tiny_mnist_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with four IDX files: 20 digits to train on, 10 to test on."""
    return write_mnist(tmp_path_factory.mktemp("tiny-mnist"), train=20, test=10)
