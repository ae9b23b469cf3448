import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from app.main import create_app
from app.settings import Settings
from tests.support.digits import write_mnist
from tests.support.postgres import postgres, postgres_url  # noqa: F401  fixtures
from tests.support.servers import Server, start_server

REAL_MNIST_DIR = os.environ.get("INKLING_MNIST_DIR")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if REAL_MNIST_DIR is None:
        skip = pytest.mark.skip(reason="needs the real MNIST: set INKLING_MNIST_DIR to a folder with its four files")
        for item in items:
            if item.get_closest_marker("mnist"):
                item.add_marker(skip)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No INKLING_* variable and no `.env` of this machine reaches a test."""
    for name in [name for name in os.environ if name.startswith("INKLING_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


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


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    return create_app(settings)


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
