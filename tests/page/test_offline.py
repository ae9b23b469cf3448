"""The page while its server is away."""

from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Page, expect

from inkling.network.pretrained import load_pretrained
from tests.page.strokes import placed
from tests.page.visitors import NETWORK_IS_KEPT, Visitor, draw, read
from tests.support.servers import Server, start_server
from tests.support.services import eventually, retrained

pytestmark = pytest.mark.unmeasured

WORKER_IS_ACTIVE = "async () => (await navigator.serviceWorker.ready).active?.state === 'activated'"


def test_page_without_its_server_reads_and_its_corrections_arrive_once(
    visitor: Visitor, tmp_path: Path, small_mnist_dir: Path
) -> None:
    def serve(port: int = 0) -> AbstractContextManager[Server]:
        arguments = ("--trainer", "external", "--feedback", "on", "--port", str(port))
        return start_server(tmp_path, *arguments, INKLING_MNIST_DIR=str(small_mnist_dir))

    # given: a visitor, whose server stops
    with serve() as server:
        page = visitor.open(server.url, service_workers="allow")
        eventually(lambda: page.evaluate(NETWORK_IS_KEPT, 1), "version 1 is kept")
        eventually(lambda: page.evaluate(WORKER_IS_ACTIVE), "the page is kept")
        port = urlsplit(server.url).port or 0
    # when: they reload, draw, and correct the answer
    page.reload()
    draw(page, placed(7))
    assert read(page) == "7"
    expect(page.locator("#served")).to_contain_text("this browser")
    correct(page, "1")
    expect(page.locator(".corrections")).to_contain_text("Kept in this browser")
    # then: it arrives when the server is back, which reads the drawing itself
    with serve(port) as server:
        expect(page.locator("#served")).not_to_contain_text("this browser", timeout=30_000)
        eventually(lambda: httpx.get(f"{server.url}/feedback").json()["items"], "the correction arrives")
        # and: it arrives once, also after a reload with another tab beside it; a newer version is kept at once
        page.reload()
        visitor.open_tab(page.context, server.url)
        other = retrained(load_pretrained(), 1)
        httpx.post(f"{server.url}/versions", content=other.content).raise_for_status()
        httpx.put(f"{server.url}/versions/current", json={"version": 2}).raise_for_status()
        draw(page, placed(7))
        read(page)
        eventually(lambda: page.evaluate(NETWORK_IS_KEPT, 2), "version 2 is kept")
        kept = httpx.get(f"{server.url}/feedback").json()["items"]
        assert [(item["label"], item["digit"]) for item in kept] == [("1", 7)]
    page.reload()
    draw(page, placed(7))
    read(page)
    expect(page.locator("#served")).to_contain_text("this browser")
    expect(page.locator("#served")).to_contain_text("v2")


def correct(page: Page, label: str) -> None:
    page.locator(f".corrections button[value='{label}']").click()
