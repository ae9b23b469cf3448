import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.support.openapi import operations
from tests.support.servers import Server

pytestmark = pytest.mark.unmeasured


def test_docs_show_every_call_and_make_one(browser: Browser, site: Server) -> None:
    calls = len(list(operations(httpx.get(f"{site.url}/openapi.json").json())))
    page, errors = browser.new_page(), []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{site.url}/docs")
    expect(page.locator(".opblock")).to_have_count(calls)
    expect(page.locator(".errors-wrapper")).to_have_count(0)
    # when: a call is made from the page
    live = page.locator("#operations-health-live")
    live.locator(".opblock-summary").click()
    live.get_by_role("button", name="Execute").click()
    # then: it goes to this server, as the document's relative address says
    expect(live.locator(".request-url")).to_contain_text(f"{site.url}/livez")
    expect(live.locator(".live-responses-table")).to_contain_text("alive")
    page.close()
    assert errors == []
