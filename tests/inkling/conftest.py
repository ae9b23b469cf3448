from pathlib import Path

import pytest

from tests.support.digits import write_mnist


@pytest.fixture(scope="session")
def tiny_mnist_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with four IDX files: 20 digits to train on, 10 to test on."""
    return write_mnist(tmp_path_factory.mktemp("tiny-mnist"), train=20, test=10)
