"""`python -m benchmarks.page [CHECKPOINT]`: what somebody who draws on the page meets.

Every digit is drawn in five places and three sizes with the mouse, in a real Chromium: how many are read right, by the
version that ships or by a checkpoint file, and how long it takes from the end of a stroke until the bars are painted.
"""

import sys
import tempfile
from pathlib import Path

import httpx
import numpy as np
from playwright.sync_api import Page, sync_playwright

from tests.page.browsers import launch
from tests.page.strokes import everywhere, placed
from tests.page.visitors import draw, read
from tests.support.servers import start_server

WATCH = """
let end = null;
window.delays = [];
addEventListener("pointerup", () => (end = performance.now()), true);
new MutationObserver(() => {
  if (end === null || document.querySelector(".view").dataset.state !== "read") return;
  const since = end;
  end = null;
  requestAnimationFrame(() => setTimeout(() => window.delays.push(performance.now() - since)));  // after the paint
}).observe(document, { subtree: true, attributes: true, attributeFilter: ["data-state"] });
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, start_server(Path(folder), "--trainer", "external") as server:
        with server.client() as client:
            for file in sys.argv[1:]:
                serve(client, Path(file))
            accuracy = client.get("/metrics").json()["accuracy"]
        with sync_playwright() as playwright, launch(playwright) as browser:
            page = browser.new_page()
            page.add_init_script(WATCH)
            page.goto(server.url)
            wrong = drawn_wrong(page)
            delays = page.evaluate("window.delays")
    total = len(list(everywhere()))
    print(f"drawn digits read right   {total - len(wrong)} of {total}, test accuracy {accuracy:.4f}; wrong: {wrong}")
    median, p95 = np.percentile(delays, [50, 95])
    print(
        f"stroke's end to bars, ms  median {median:.0f}, 95 % {p95:.0f}, worst {max(delays):.0f}; {len(delays)} in all"
    )


def serve(client: httpx.Client, checkpoint: Path) -> None:
    version = client.post("/versions", content=checkpoint.read_bytes()).raise_for_status().json()["version"]
    client.put("/versions/current", json={"version": version}).raise_for_status()


def drawn_wrong(page: Page) -> list[str]:
    wrong = []
    for digit, place, size in everywhere():
        page.keyboard.press("c")
        draw(page, placed(digit, place, size))
        if (found := read(page)) != str(digit):
            wrong.append(f"{size} {digit} at {place}: {found}")
    return wrong


if __name__ == "__main__":
    main()
