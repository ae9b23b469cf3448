import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from app.settings import Settings
from inkling.network.checkpoint import Checkpoint
from tests.page.browsers import TO_INSTALL, find_chromium, launch
from tests.page.visitors import Visitor
from tests.support.servers import Server, start_server
from tests.support.services import open_registry, publish, retrained


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium for the tests of one module. Skips if Chromium is missing, except in CI: there it fails.

    The scope is the module: while the browser is open, Playwright runs an event loop in this thread, which would
    disturb the asynchronous tests of other modules.
    """
    if find_chromium() is None:
        if os.environ.get("CI"):
            pytest.fail(TO_INSTALL)
        pytest.skip(TO_INSTALL)
    with sync_playwright() as playwright, launch(playwright) as browser:
        yield browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, small_mnist_dir: Path) -> Iterator[Server]:
    """A server without a trainer, for all tests of a module."""
    data_dir = tmp_path_factory.mktemp("data")
    with start_server(data_dir, "--trainer", "external", INKLING_MNIST_DIR=str(small_mnist_dir)) as server:
        yield server


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Visitor]:
    """A visitor with a browser context; at the end there must be no request to another host and no error."""
    visitor = Visitor(browser)
    yield visitor
    visitor.leave()


@pytest.fixture
def two_versions(tmp_path: Path, shipped: Checkpoint) -> Iterator[Server]:
    """A server with the shipped version and version 2, which is served; it may stand behind a proxy."""
    behind = {"INKLING_TRUSTED_PROXIES": "127.0.0.1"}
    with start_server(tmp_path / "data", "--trainer", "external", "--registry-poll-s", "0.05", **behind) as server:
        with open_registry(Settings(data_dir=tmp_path / "data")) as registry:
            publish(registry, retrained(shipped, 2))
        yield server
