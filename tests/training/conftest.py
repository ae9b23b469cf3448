import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from inkling.network.checkpoint import Checkpoint
from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from tests.support.networks import make_checkpoint
from tests.support.runs import Undisturbed, queue, told
from tests.support.trainers import Trainers, start_trainers

BACKENDS = ("sqlite", "postgresql")


@pytest.fixture
def backend() -> str:
    """The database under `store` and `registry`; tests that run on each of BACKENDS parametrise it."""
    return "sqlite"


@pytest.fixture
def store(tmp_path: Path, small_mnist_dir: Path, backend: str, request: pytest.FixtureRequest) -> StoreSettings:
    """Settings with an empty data directory, an empty database and the small synthetic MNIST."""
    url = request.getfixturevalue("postgres_url") if backend == "postgresql" else None
    return StoreSettings(data_dir=tmp_path / "data", mnist_dir=small_mnist_dir, database_url=url)


@pytest.fixture
def registry(store: StoreSettings) -> Iterator[Registry]:
    registry = Registry(store.registry_url)
    yield registry
    registry.close()


@pytest.fixture(scope="session")
def checkpoint() -> Checkpoint:
    """A checkpoint of a network that has learned nothing."""
    return make_checkpoint()


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
