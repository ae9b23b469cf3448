import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.page.browsers import TO_INSTALL, find_chromium, launch
from tests.page.visitors import Visitor
from tests.support.servers import Server, start_server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium for the tests of a module. Skips where there is none, fails in CI.

    No longer than that: while it is open, Playwright has an event loop in this thread, and other modules' tests want
    one of their own.
    """
    if find_chromium() is None:
        if os.environ.get("CI"):
            pytest.fail(TO_INSTALL)
        pytest.skip(TO_INSTALL)
    with sync_playwright() as playwright, launch(playwright) as browser:
        yield browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, small_mnist_dir: Path) -> Iterator[Server]:
    """A server for all tests of a module, that nobody trains for."""
    data_dir = tmp_path_factory.mktemp("data")
    with start_server(data_dir, "--trainer", "external", INKLING_MNIST_DIR=str(small_mnist_dir)) as server:
        yield server


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Visitor]:
    """Somebody with a browser of their own; in the end nothing may have left the server, and nothing gone wrong."""
    visitor = Visitor(browser)
    yield visitor
    visitor.leave()
