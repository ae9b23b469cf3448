"""The README's screenshot of the page, and the animation of a digit being drawn; made by `make pictures`.

Needs a Chinese font for the button that switches the language: Debian's fonts-wqy-microhei.
"""

import io
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import FloatRect, Page, ViewportSize, expect, sync_playwright

from tests.page.browsers import launch
from tests.page.strokes import placed
from tests.page.visitors import await_state, draw
from tests.support.servers import start_server

DOCS = Path(__file__).parent.parent.parent / "docs"
VIEW = ViewportSize(width=1180, height=800)
FRAME_MS, LAST_FRAME_MS = 110, 2500
MARGIN = 16


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        start_server(Path(folder), "--port", "8000") as server,  # the address in the README
        sync_playwright() as playwright,
        launch(playwright) as browser,
    ):
        page = browser.new_page(viewport=VIEW, device_scale_factor=1.5, locale="en-GB")
        page.goto(server.url)
        take_screenshot(page)
        page = browser.new_page(viewport=VIEW, locale="en-GB")
        page.goto(server.url)
        film(page)


def take_screenshot(page: Page) -> None:
    draw(page, placed(2, size="large"))
    await_read(page)
    page.mouse.move(0, 0)
    page.screenshot(path=DOCS / "page.png")
    Image.open(DOCS / "page.png").quantize(256).save(DOCS / "page.png", optimize=True)


def film(page: Page) -> None:
    """Draw a digit and take a frame after each point."""
    box = page.locator(".draw").bounding_box()
    assert box
    clip = FloatRect(
        x=box["x"] - MARGIN, y=box["y"] - MARGIN, width=box["width"] + 2 * MARGIN, height=box["height"] + 2 * MARGIN
    )
    pad = page.locator(".pad").bounding_box()
    assert pad
    frames = [shoot(page, clip)]
    for stroke in placed(5, size="large"):
        points = [(pad["x"] + x * pad["width"], pad["y"] + y * pad["height"]) for x, y in stroke]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point)
            frames.append(shoot(page, clip))
        page.mouse.up()
    await_read(page)
    frames.append(shoot(page, clip))
    durations = [FRAME_MS] * (len(frames) - 1) + [LAST_FRAME_MS]
    first, *others = frames
    first.save(
        DOCS / "drawing.webp", save_all=True, append_images=others, duration=durations, loop=0, quality=80, method=6
    )


def shoot(page: Page, clip: FloatRect) -> Image.Image:
    return Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")


def await_read(page: Page) -> None:
    await_state(page, "read")
    expect(page.locator(".view")).to_have_attribute("data-explained", page.locator(".answer").inner_text())
    page.locator(".best .bar").evaluate(
        "bar => Promise.all(bar.getAnimations({ subtree: true }).map((a) => a.finished))"
    )


if __name__ == "__main__":
    main()
