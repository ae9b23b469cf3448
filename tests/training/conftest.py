import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.training.networks import make_checkpoint
from training.checkpoint import Checkpoint
from training.registry import Registry
from training.settings import StoreSettings


@pytest.fixture
def store(tmp_path: Path, small_mnist_dir: Path) -> StoreSettings:
    """Settings with an empty data directory and the small synthetic MNIST."""
    return StoreSettings(data_dir=tmp_path / "data", mnist_dir=small_mnist_dir)


@pytest.fixture
def registry(store: StoreSettings) -> Iterator[Registry]:
    registry = Registry(store.registry_url)
    yield registry
    registry.close()


@pytest.fixture(scope="session")
def checkpoint() -> Checkpoint:
    """A checkpoint of a network that has learned nothing."""
    return make_checkpoint()


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every request outside this machine is refused, in this process and in those it starts."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound, but nobody listens
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{bound.getsockname()[1]}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "")
        yield
