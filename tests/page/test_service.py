import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.page.strokes import placed
from tests.page.visitors import Visitor, draw, read
from tests.support.servers import Server, start_server

pytestmark = pytest.mark.unmeasured

KEY = "a-key-for-tests"


def test_service_view_shows_version_latency_and_memory(visitor: Visitor, site: Server) -> None:
    page = visitor.open(site.url)
    draw(page, placed(3))
    read(page)
    page.get_by_role("link", name="Service").click()
    cards = page.locator(".cards")
    expect(cards).to_contain_text("Version 1")
    expect(cards).to_contain_text("95 % within")
    expect(cards).to_contain_text(" MB")
    expect(page.locator(".numbers")).to_contain_text("/predict")


def test_key_is_asked_for_once_and_kept_for_the_tab(visitor: Visitor, tmp_path: Path, small_mnist_dir: Path) -> None:
    visitor.expected_refusals = {401}
    data = {"INKLING_API_KEY": KEY, "INKLING_MNIST_DIR": str(small_mnist_dir)}
    with start_server(tmp_path / "data", "--trainer", "external", **data) as server:
        page = visitor.open(f"{server.url}/#train")
        page.get_by_role("button", name="Start training").click()
        for key in ("a-wrong-key", KEY):
            page.get_by_role("dialog").get_by_label("API key").fill(key)
            page.keyboard.press("Enter")
            if key != KEY:
                expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("the API key is wrong")
        expect(page.get_by_role("heading", name="Run 1")).to_be_visible()
        page.reload()
        page.get_by_role("button", name="Start training").click()
        expect(page.get_by_role("heading", name="Run 2")).to_be_visible()
        expect(page.get_by_role("dialog")).to_have_count(0)


def test_unreachable_server_is_reported(visitor: Visitor, tmp_path: Path) -> None:
    visitor.expected_refusals.add(503)  # /readyz, while the server stops
    with start_server(tmp_path / "data", "--trainer", "external") as server:
        page = visitor.open(f"{server.url}/#service")
        expect(page.locator(".cards")).to_contain_text("Version 1")
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer.")


def test_docs_predict_an_uploaded_digit(visitor: Visitor, site: Server, tmp_path: Path) -> None:
    digit = Path(__file__).parent.parent.parent / "docs" / "digits" / "7.png"
    shutil.copy(digit, tmp_path / "7.png")
    page = visitor.open(f"{site.url}/docs")
    call = page.locator("#operations-predict-predict")
    call.get_by_role("button").first.click()
    call.locator("input[type=file]").set_input_files(tmp_path / "7.png")
    call.get_by_role("button", name="Execute").click()
    expect(call.locator(".live-responses-table")).to_contain_text('"digit": 7')
