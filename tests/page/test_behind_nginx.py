"""The page and /docs behind a real nginx, which serves them below a path and compresses them."""

from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.page.visitors import Visitor
from tests.support.nginx import BELOW_A_PATH, start_nginx
from tests.support.servers import Server

pytestmark = pytest.mark.unmeasured


def test_page_and_docs_work_below_a_path_and_compressed(visitor: Visitor, two_versions: Server, tmp_path: Path) -> None:
    (folder := tmp_path / "nginx").mkdir()
    with start_nginx(folder, [two_versions.url.removeprefix("http://")], BELOW_A_PATH) as site:
        page = visitor.open(f"{site}/inkling/#versions")
        roll_back_and_promote(page)
        watch_a_run(page, f"{site}/inkling/")
        try_a_call_out(visitor.open_tab(page.context, f"{site}/inkling/docs"), site)
        visitor.leave()  # while nginx answers


def roll_back_and_promote(page: Page) -> None:
    served = page.locator("tr.served th")
    expect(served).to_contain_text("2")
    page.get_by_role("button", name="Roll back").click()
    page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    expect(served).to_contain_text("1")
    page.get_by_role("button", name="Serve").click()
    page.get_by_role("dialog").get_by_role("button", name="Serve").click()
    expect(served).to_contain_text("2")


def watch_a_run(page: Page, service: str) -> None:
    """Queue a run on the page, cancel it elsewhere, and see it end: the event passes nginx while the stream is open."""
    page.goto(f"{service}#train")
    with page.expect_response(lambda response: response.url.endswith("/events")) as stream:
        page.get_by_role("button", name="Start training").click()
    assert stream.value.headers["content-type"].startswith("text/event-stream")
    assert stream.value.headers["content-encoding"] == "gzip"
    state = page.locator(".train [data-state]")
    expect(state).to_have_attribute("data-state", "queued")
    run = stream.value.url.removesuffix("/events")
    assert httpx.delete(run).status_code == 200
    expect(state).to_have_attribute("data-state", "cancelled")


def try_a_call_out(page: Page, site: str) -> None:
    current = page.locator("#operations-versions-get_current_version")
    current.locator(".opblock-summary").click()
    current.get_by_role("button", name="Try it out").or_(current.get_by_role("button", name="Execute")).first.click()
    current.get_by_role("button", name="Execute").click()
    expect(current.locator(".request-url")).to_contain_text(f"{site}/inkling/versions/current")
    expect(current.locator(".live-responses-table")).to_contain_text('"version": 2')
