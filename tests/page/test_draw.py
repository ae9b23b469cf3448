import base64
import subprocess
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

from tests.page.strokes import everywhere, placed
from tests.page.visitors import Visitor, await_state, draw, read
from tests.support.servers import Server

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parent.parent.parent
SEVEN = ROOT / "docs" / "digits" / "7.png"
NEEDED = 0.96


def test_drawn_digits_are_read_at_every_position_and_size(visitor: Visitor, site: Server) -> None:
    page = visitor.open(site.url)
    drawings = list(everywhere())
    wrong = []
    for digit, position, size in drawings:
        page.keyboard.press("c")
        draw(page, placed(digit, position, size))
        if (found := read(page)) != str(digit):
            wrong.append(f"{size} {digit} at {position}: {found}")
    assert len(wrong) <= (1 - NEEDED) * len(drawings), f"{len(wrong)} of {len(drawings)} wrong: {wrong}"


def test_digit_drawn_with_a_finger_is_read_and_scrolls_nothing(visitor: Visitor, site: Server) -> None:
    page = visitor.open(site.url, has_touch=True, is_mobile=True, viewport={"width": 360, "height": 640})
    box = page.locator(".pad").bounding_box()
    assert box
    fingers = page.context.new_cdp_session(page)
    for stroke in placed(9, "top right", "large"):
        points = [{"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]} for x, y in stroke]
        fingers.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": points[:1]})
        for point in points[1:]:
            fingers.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
        fingers.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert read(page) == "9"
    assert page.evaluate("scrollY") == 0


def test_strokes_are_undone_and_cleared(visitor: Visitor, site: Server) -> None:
    page = visitor.open(site.url)
    draw(page, placed(4))
    assert read(page) == "4"
    page.get_by_role("button", name="Undo").click()
    await_state(page, "read")
    page.keyboard.press("z")
    await_state(page, "blank")
    draw(page, placed(1))
    assert read(page) == "1"
    page.get_by_role("button", name="Clear").click()
    await_state(page, "blank")
    expect(page.locator(".bars .value").first).to_be_empty()


def test_digit_is_drawn_with_the_keys(visitor: Visitor, site: Server) -> None:
    page = visitor.open(site.url)
    page.locator(".pad").focus()
    page.keyboard.press("Space")
    for _ in range(8):
        page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Space")
    assert read(page) == "1"


def test_sample_is_written_and_read(visitor: Visitor, site: Server) -> None:
    page = visitor.open(site.url)
    for digit in (3, 8):
        page.get_by_role("button", name=f"Write a {digit}").click()
        assert read(page) == str(digit)


def test_answer_is_announced_to_screen_readers_with_the_next_two(visitor: Visitor, site: Server) -> None:
    page = visitor.open(site.url)
    draw(page, placed(7))
    expect(page.locator("[aria-live=polite]").first).to_contain_text("Read as 7, ")
    expect(page.locator("[aria-live=polite]").first).to_contain_text("Then ")


def test_page_shows_the_network_input_and_why_another_digit_was_not_read(visitor: Visitor, site: Server) -> None:
    page = visitor.open(site.url)
    draw(page, placed(7))
    read(page)
    view = page.locator(".view")
    expect(view).to_have_attribute("data-explained", "7")
    assert page.get_by_role("img", name="in which the network read 7").evaluate("image => image.naturalWidth") == 28
    page.locator(".bars label").nth(9).click()
    expect(view).to_have_attribute("data-explained", "7-9")
    expect(page.get_by_role("heading", name="Why 7, not 9")).to_be_visible()
    page.keyboard.press("ArrowUp")
    expect(view).to_have_attribute("data-explained", "7-8")


def test_picture_is_chosen_and_read(visitor: Visitor, site: Server) -> None:
    page = visitor.open(site.url)
    page.get_by_label("Picture").set_input_files(SEVEN)
    assert read(page) == "7"
    expect(page.get_by_text("left unchanged")).to_be_visible()


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_picture_comes_by(event: str, visitor: Visitor, site: Server) -> None:
    page = visitor.open(site.url)
    give(page, event, SEVEN)
    assert read(page) == "7"


def test_blank_picture_is_refused_with_a_reason_and_the_next_drawing_is_read(
    visitor: Visitor, site: Server, tmp_path: Path
) -> None:
    visitor.expected_refusals = {422}
    blank = tmp_path / "blank.png"
    Image.new("L", (50, 50), 255).save(blank)
    page = visitor.open(site.url)
    page.get_by_label("Picture").set_input_files(blank)
    await_state(page, "refused")
    expect(page.get_by_role("alert")).to_contain_text("No single digit in the picture")
    expect(page.get_by_role("alert")).to_contain_text("blank")
    draw(page, placed(0))
    assert read(page) == "0"
    expect(page.get_by_role("alert")).to_have_count(0)


def test_file_that_is_not_a_picture_is_refused_with_a_reason(visitor: Visitor, site: Server, tmp_path: Path) -> None:
    file = tmp_path / "letter.txt"
    file.write_text("seven")
    page = visitor.open(site.url)
    page.get_by_label("Picture").set_input_files(file)
    expect(page.get_by_role("alert")).to_contain_text("letter.txt")


def test_drawing_is_saved_and_the_curl_line_reads_it(visitor: Visitor, site: Server, tmp_path: Path) -> None:
    page = visitor.open(site.url)
    draw(page, placed(5))
    read(page)
    with page.expect_download() as download:
        page.get_by_text("Save digit.png").click()
    download.value.save_as(tmp_path / "digit.png")
    line = page.locator("pre code").inner_text()
    answer = subprocess.run(
        ["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=True
    ).stdout
    assert '"digit":5' in answer


def test_answer_to_an_older_drawing_never_overwrites_a_newer_one(visitor: Visitor, site: Server) -> None:
    page = visitor.open(site.url)
    draw(page, placed(1))
    assert read(page) == "1"
    held: list[Route] = []
    page.route("**/predict?*", lambda route: route.continue_() if held else held.append(route))
    page.keyboard.press("c")
    with page.expect_request("**/predict?*"):
        draw(page, placed(3))
    page.keyboard.press("c")
    with page.expect_response("**/predict?*"):
        held[0].continue_()
    await_state(page, "blank")
    assert page.locator(".answer").inner_text() == "\u2013"
    draw(page, placed(7))
    assert read(page) == "7"


def test_page_speaks_chinese_where_the_browser_does_and_switches(visitor: Visitor, site: Server) -> None:
    page = visitor.open(site.url, locale="zh-CN")
    draw(page, placed(2))
    assert read(page) == "2"
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    expect(page.get_by_role("link", name="手写")).to_be_visible()
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("link", name="Draw")).to_be_visible()
    assert read(page) == "2"  # the drawing is still there
    page.reload()
    expect(page.get_by_role("link", name="Draw")).to_be_visible()


def give(page: Page, event: str, file: Path) -> None:
    """Have a picture dropped on the pad, or pasted into the page."""
    page.evaluate(
        """([event, content]) => {
          const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
          const transfer = new DataTransfer();
          transfer.items.add(new File([bytes], "digit.png", { type: "image/png" }));
          const dropped = new DragEvent("drop", { dataTransfer: transfer, cancelable: true });
          if (event === "drop") document.querySelector(".frame").dispatchEvent(dropped);
          else document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer }));
        }""",
        [event, base64.b64encode(file.read_bytes()).decode()],
    )
