import os
import shutil
import socket
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from numpy.typing import NDArray

from app.bodies.limits import UploadLimits
from app.main import create_app
from app.settings import Settings
from inkling.network.checkpoint import Checkpoint
from inkling.network.classifier import Classifier
from inkling.network.pretrained import load_pretrained
from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from tests.support.digits import make_digits, write_mnist
from tests.support.networks import make_checkpoint
from tests.support.postgres import postgres, postgres_url  # noqa: F401  fixtures
from tests.support.servers import Server, start_server

REAL_MNIST_DIR = os.environ.get("INKLING_MNIST_DIR")
ORDINARY_PRIORITY = Path(__file__).parent / "support" / "ordinary_priority"
LONGEST = ("test_killed_trainers", "test_outages", "test_worker_process", "test_scoreboard", "test_trainers")
"""The files that take minutes: they run first, so that no process of the tests ends long before the others."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.stem not in LONGEST)
    if "long" not in config.option.markexpr:
        skip = pytest.mark.skip(reason="takes minutes: make long")
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(skip)
    if REAL_MNIST_DIR is None:
        skip = pytest.mark.skip(reason="needs the real MNIST: set INKLING_MNIST_DIR to a folder with its four files")
        for item in items:
            if item.get_closest_marker("mnist"):
                item.add_marker(skip)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Prepare the environment of the processes that a test and its fixtures start.

    Coverage stays out of those of a test marked `unmeasured`, and the trainers of one marked `train` keep an ordinary
    priority.
    """
    with pytest.MonkeyPatch.context() as patch:
        if item.get_closest_marker("train"):
            patch.setenv("PYTHONPATH", str(ORDINARY_PRIORITY), prepend=os.pathsep)
        if item.get_closest_marker("unmeasured"):
            for name in [name for name in os.environ if name.startswith(("COVERAGE_PROCESS", "COV_CORE"))]:
                patch.delenv(name)
        return (yield)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No INKLING_* variable and no `.env` of this machine reaches a test."""
    for name in [name for name in os.environ if name.startswith("INKLING_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session", autouse=True)
def _compiled_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Trainings compile their steps for a second: the second training of a recipe takes those of the first."""
    os.environ["TF_XLA_FLAGS"] = f"--tf_xla_persistent_cache_directory={tmp_path_factory.mktemp('compiled')}"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def small_mnist_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with four IDX files of synthetic digits: 2,000 to train on, 500 to test on."""
    return write_mnist(tmp_path_factory.mktemp("mnist"))


@pytest.fixture
def real_mnist_dir() -> Path:
    """The folder of the real MNIST; for tests marked `mnist`."""
    assert REAL_MNIST_DIR is not None
    return Path(REAL_MNIST_DIR)


@pytest.fixture
def settings(tmp_path: Path, small_mnist_dir: Path) -> Settings:
    """A server's settings with an empty data directory; it starts no trainer."""
    return Settings(data_dir=tmp_path / "data", mnist_dir=small_mnist_dir, trainer="external", registry_poll_s=0.05)


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an empty registry, which tests copy: the history of its schema takes 25 ms, a copy 1 ms."""
    file = tmp_path_factory.mktemp("registry") / "inkling.db"
    Registry(f"sqlite:///{file}").close()
    return file


@pytest.fixture
def app(settings: Settings, empty_registry: Path) -> FastAPI:
    _copy_registry(empty_registry, settings)
    return create_app(settings)


def _copy_registry(empty_registry: Path, store: StoreSettings) -> None:
    """Put the empty registry where the settings have theirs, unless that is a database at a URL or is there already."""
    if not store.has_registry:
        store.data_dir.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(empty_registry, store.data_dir / empty_registry.name)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application in this process, between its start and its end."""
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client,
    ):
        yield client


@pytest.fixture
def server(tmp_path: Path, small_mnist_dir: Path) -> Iterator[Server]:
    """A real `inkling serve` on a free port, with an empty data directory, that starts trainers itself."""
    with start_server(tmp_path / "data", INKLING_MNIST_DIR=str(small_mnist_dir)) as server:
        yield server


@pytest.fixture
def backend() -> str:
    """The database under `store` and `registry`; tests that run on each of BACKENDS parametrize it."""
    return "sqlite"


@pytest.fixture
def store(tmp_path: Path, small_mnist_dir: Path, backend: str, request: pytest.FixtureRequest) -> StoreSettings:
    """Settings with an empty data directory, an empty database and the small synthetic MNIST."""
    url = request.getfixturevalue("postgres_url") if backend == "postgresql" else None
    return StoreSettings(data_dir=tmp_path / "data", mnist_dir=small_mnist_dir, database_url=url)


@pytest.fixture
def registry(store: StoreSettings, empty_registry: Path) -> Iterator[Registry]:
    _copy_registry(empty_registry, store)
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


@pytest.fixture(scope="session")
def shipped() -> Checkpoint:
    """The checkpoint that ships with the project."""
    return load_pretrained()


@pytest.fixture(scope="session")
def classifier(shipped: Checkpoint) -> Classifier:
    return Classifier(shipped, version=1)


@pytest.fixture(scope="session")
def digits() -> NDArray[np.uint8]:
    """Images (20, 28, 28) of the digits 0 to 9, twice."""
    return make_digits(20, seed=3)[0]


@pytest.fixture
def limits() -> UploadLimits:
    return UploadLimits(max_images=100, max_pixels=1_000_000)
