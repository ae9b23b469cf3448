"""`python -m benchmarks.page`: the accuracy and latency of the page at `/` for digits drawn on it.

Every digit is drawn with the mouse in five places and three sizes, in a real Chromium. Reports how many are read
correctly, by the shipped version or by a checkpoint file, and the time from the end of a stroke until the bars are set,
and until they are painted, for which the browser waits for its next frame, up to 17 ms. First the server reads, then,
after the server was stopped, the browser. `--update` writes the results into "The page" of docs/performance.md.
"""

import argparse
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import product
from pathlib import Path

import httpx
import numpy as np
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from benchmarks.document_sections import write_rows
from benchmarks.processes import ROOT, running_inkling
from inkling.model_card.markdown import table
from inkling.model_card.stroke_templates import STROKE_TEMPLATES, Points, parse_strokes, smooth

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
TEMPLATES = {digit: next(iter(templates.values())) for digit, templates in STROKE_TEMPLATES.items()}
"""One template per digit: the first."""
PLACES = {"middle": (0.5, 0.5), "top left": (0, 0), "top right": (1, 0), "bottom left": (0, 1), "bottom right": (1, 1)}
SIZES = {"small": 0.3, "medium": 0.55, "large": 0.85}
"""Heights, as shares of the pad's side."""
IS_KEPT = """async () => {
  const opened = indexedDB.open("inkling");
  const database = await new Promise((resolve) => (opened.onsuccess = () => resolve(opened.result)));
  const asked = database.transaction("network").objectStore("network").count();
  return new Promise((resolve) => (asked.onsuccess = () => resolve(asked.result === 1)));
}"""
EDGE = 0.05
"""Distance of a digit in a corner from the edge, as a share of the pad's side."""

WATCH = """
let end = null;
window.delays = { set: [], painted: [] };
addEventListener("pointerup", () => (end = performance.now()), true);
new MutationObserver(() => {
  if (end === null || document.querySelector(".view").dataset.state !== "read") return;
  const since = end;
  end = null;
  window.delays.set.push(performance.now() - since);
  requestAnimationFrame(() => setTimeout(() => window.delays.painted.push(performance.now() - since)));
}).observe(document, { subtree: true, attributes: true, attributeFilter: ["data-state"] });
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoints", nargs="*", type=Path, help="uploaded and promoted; default: the shipped version")
    parser.add_argument("--update", action="store_true", help="write the results into docs/performance.md")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as playwright,
        launch(playwright) as browser,
        ExitStack() as stack,
    ):
        server = stack.enter_context(running_inkling(Path(folder)))
        with server.client() as client:
            for file in options.checkpoints:
                upload_and_promote(client, file)
            accuracy = client.get("/metrics").json()["accuracy"]
        page = browser.new_page()
        page.add_init_script(WATCH)
        page.goto(server.url)
        print(f"test accuracy {accuracy:.4f}")
        rows = [measured("the server", page)]
        page.wait_for_function(IS_KEPT)
        stack.close()
        rows.append(measured("the browser", page))
    print(table(["read by", "read correctly", "bars set after: median, p95", "painted after: median, p95"], rows))
    if options.update:
        write_rows(ROOT / "docs" / "performance.md", "The page", rows)


def measured(reader: str, page: Page) -> list[str]:
    """Draw every digit everywhere, and return a row of the table."""
    page.evaluate("window.delays = { set: [], painted: [] }")
    wrong = list(draw_everywhere(page))
    delays = page.evaluate("window.delays")
    total = len(TEMPLATES) * len(PLACES) * len(SIZES)
    print(f"{reader} misreads {wrong}; {len(delays['set'])} ends of strokes")
    return [reader, f"{total - len(wrong)} of {total}", *map(_in_words, (delays["set"], delays["painted"]))]


def _in_words(times_ms: list[float]) -> str:
    median, p95 = np.percentile(times_ms, [50, 95])
    return f"{median:.0f} ms, {p95:.0f} ms"


def upload_and_promote(client: httpx.Client, checkpoint: Path) -> None:
    version = client.post("/versions", content=checkpoint.read_bytes()).raise_for_status().json()["version"]
    client.put("/versions/current", json={"version": version}).raise_for_status()


def launch(playwright: Playwright) -> Browser:
    """Start a headless Chromium; as root it needs to run without its sandbox."""
    executable = next((found for found in map(shutil.which, CHROMIUM) if found), None)
    return playwright.chromium.launch(executable_path=executable, chromium_sandbox=os.geteuid() != 0)


def draw_everywhere(page: Page) -> Iterator[str]:
    """Draw every digit in every place and size; yield a description of each that is misread."""
    for digit, place, size in product(TEMPLATES, PLACES, SIZES):
        page.keyboard.press("c")  # clears the pad
        draw(page, placed(digit, place, size))
        expect(page.locator(".view")).to_have_attribute("data-state", "read")
        found = page.locator(".answer").inner_text()
        if found != str(digit):
            yield f"{size} {digit} at {place}: {found}"


def placed(digit: int, place: str, size: str) -> list[Points]:
    """Return the strokes of a digit in shares of the pad's side."""
    paths = [SIZES[size] * smooth(stroke, steps=4) for stroke in parse_strokes(TEMPLATES[digit])]
    points = np.concatenate(paths)
    low, span = points.min(axis=0), np.ptp(points, axis=0)
    corner = EDGE + np.array(PLACES[place]) * (1 - 2 * EDGE - span)
    return [path - low + corner for path in paths]


def draw(page: Page, paths: list[Points]) -> None:
    """Draw strokes with the mouse."""
    box = page.locator(".pad").bounding_box()
    if box is None:
        raise SystemExit("the page shows no pad")
    for path in paths:
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in path.tolist()]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place)
        page.mouse.up()


if __name__ == "__main__":
    main()
