"""The tour of how the network works, and the large view for a projector."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.page.strokes import placed
from tests.page.visitors import Visitor, await_state, draw, read
from tests.support.servers import Server

pytestmark = pytest.mark.unmeasured

ON_DRAW = ("pad", "seen", "hidden1", "hidden2", "bars", "verdict", "why", "why.not")
"""The names of the steps on Draw where the server takes no corrections."""


def violations(page: Page) -> list[tuple[str, str]]:
    return [(found["id"], found["nodes"][0]["html"]) for found in Axe().run(page).response["violations"]]


def test_tour_leads_through_the_real_page_with_the_keyboard(visitor: Visitor, site: Server) -> None:
    page = visitor.open(f"{site.url}/?tour", color_scheme="dark")
    dialog = page.get_by_role("dialog")
    for name in (*ON_DRAW, "train", "versions", "service"):
        expect(dialog).to_have_attribute("data-step", name)
        expect(dialog.locator(".spot")).to_be_visible()
        expect(dialog.locator("button.primary")).to_be_focused()
        if name == "why.not":
            expect(page.locator(".view")).to_have_attribute("data-explained", re.compile(r"4-\d"))
        if name in ("hidden1", "service"):
            assert violations(page) == []
        page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    assert read(page) == "4"
    assert page.evaluate("fetch('train').then((answer) => answer.json())")["items"] == []
    # and: it leaves a drawing as it is, goes back, and ends with Escape
    page.keyboard.press("c")
    draw(page, placed(7))
    page.get_by_role("link", name="A tour of how it works").click()
    page.keyboard.press("Enter")
    expect(dialog).to_have_attribute("data-step", "seen")
    dialog.get_by_role("button", name="Back").click()
    expect(dialog).to_have_attribute("data-step", "pad")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("link", name="A tour of how it works")).to_be_focused()
    assert read(page) == "7"


def test_large_view_shows_the_network_and_nothing_else(visitor: Visitor, site: Server) -> None:
    page = visitor.open(f"{site.url}/?present", viewport={"width": 1024, "height": 768})
    await_state(page, "blank")
    expect(page.get_by_role("navigation")).to_be_hidden()
    draw(page, placed(7))
    assert read(page) == "7"
    expect(page.locator(".strips[data-version]")).to_be_visible()
    for width, height in ((360, 740), (1024, 768), (1920, 1080)):
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("navigation")).to_be_visible()
    assert read(page) == "7"
    page.get_by_role("link", name="Large, for a projector").click()
    page.get_by_role("link", name="Leave").click()
    expect(page.get_by_role("navigation")).to_be_visible()
