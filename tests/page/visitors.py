"""Visitors of the page: browser contexts that record requests to other hosts, errors and refusals."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response, expect

from tests.page.strokes import Stroke

HOST = "127.0.0.1"
DEFAULTS = {"locale": "en-GB", "reduced_motion": "reduce", "service_workers": "block"}
FAILED_RESOURCE = "Failed to load resource"
"""Start of Chromium's console message for an error answer; these are recorded in `refusals` with their status."""

NETWORK_IS_KEPT = """async (version) => {
  if (!(await indexedDB.databases()).some(({ name }) => name === "inkling")) return false; // opening would make it
  const open = indexedDB.open("inkling");
  const database = await new Promise((resolve) => (open.onsuccess = () => resolve(open.result)));
  if (!database.objectStoreNames.contains("network")) return false;
  const asked = database.transaction("network").objectStore("network").get("served");
  const kept = await new Promise((resolve) => (asked.onsuccess = () => resolve(asked.result)));
  database.close();
  return kept?.version === version;
}"""
"""Whether the browser keeps the network of a version, for the time without a server."""


@dataclass
class Visitor:
    browser: Browser
    outside: list[str] = field(default_factory=list)
    """Requested URLs on other hosts."""
    mistakes: list[str] = field(default_factory=list)
    """Console errors (violations of the Content-Security-Policy too) and uncaught script errors."""
    refusals: list[tuple[int, str]] = field(default_factory=list)
    """Answers with a status of 400 or more."""
    expected_refusals: set[int] = field(default_factory=set)
    contexts: list[BrowserContext] = field(default_factory=list)

    def open(self, url: str, **options: Any) -> Page:
        """Open a page in a new browser context, in English unless the options set another locale."""
        context = self.browser.new_context(**{**DEFAULTS, **options})
        context.set_default_timeout(20_000)
        self.contexts.append(context)
        context.on("request", self._see_request)
        context.on("response", self._see_response)
        context.on("console", self._see_message)
        context.on("weberror", lambda error: self.mistakes.append(str(error.error)))
        return self.open_tab(context, url)

    def open_tab(self, context: BrowserContext, url: str) -> Page:
        page = context.new_page()
        page.goto(url)
        return page

    def leave(self) -> None:
        """Close all contexts and check the records.

        Raises:
            AssertionError: a request left the server, or an error or an unexpected refusal occurred.
        """
        for context in self.contexts:
            context.close()
        assert self.outside == []
        assert self.mistakes == []
        assert [refusal for refusal in self.refusals if refusal[0] not in self.expected_refusals] == []

    def _see_request(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme in ("http", "https", "ws", "wss") and url.hostname != HOST:
            self.outside.append(request.url)

    def _see_response(self, response: Response) -> None:
        if response.status >= 400:
            self.refusals.append((response.status, response.url))

    def _see_message(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(FAILED_RESOURCE):
            self.mistakes.append(message.text)


def draw(page: Page, strokes: list[Stroke]) -> None:
    """Draw strokes, in shares of the pad's side, with the mouse."""
    box = page.locator(".pad").bounding_box()
    assert box
    for stroke in strokes:
        points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point)
        page.mouse.up()


def await_state(page: Page, state: str) -> None:
    expect(page.locator(".view")).to_have_attribute("data-state", state)


def read(page: Page) -> str:
    """Return the digit that the page shows, once it has read the finished drawing."""
    await_state(page, "read")
    return page.locator(".answer").inner_text()
