import pytest
from playwright.sync_api import Page, expect

from tests.page.visitors import Visitor
from tests.support.servers import Server

pytestmark = pytest.mark.unmeasured

VIEWS = ("draw", "train", "versions", "service")
LOADED = {"draw": ".bars", "train": "form button", "versions": ".matrix", "service": ".cards dd"}


def visit(page: Page, view: str) -> None:
    page.evaluate("view => location.hash = view", view)
    expect(page.locator(LOADED[view]).first).to_be_visible()


@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
def test_nothing_is_wider_than_the_screen(language: str, visitor: Visitor, site: Server) -> None:
    page = visitor.open(site.url, locale=language)
    for width in (320, 360, 768, 1024, 1440):
        page.set_viewport_size({"width": width, "height": 800})
        for view in VIEWS:
            visit(page, view)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (view, width)


def test_every_view_is_reached_with_the_keyboard(visitor: Visitor, site: Server) -> None:
    page = visitor.open(site.url)
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    for view in ("Train", "Versions", "Service"):
        page.get_by_role("link", name=view, exact=True).focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name=view, level=1)).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Versions", level=1)).to_be_visible()
