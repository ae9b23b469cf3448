"""The answers on Draw, and the ways to them: numbers, pictures, links, the camera, the inside of the network."""

import re
from pathlib import Path

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, Route, expect

from tests.page.strokes import Stroke, placed
from tests.page.visitors import Visitor, await_state, draw, read
from tests.support.networks import make_checkpoint_of
from tests.support.servers import Server

pytestmark = pytest.mark.unmeasured

DIGITS = Path(__file__).parent.parent.parent / "docs" / "digits"
STAR: list[Stroke] = [
    [(0.2, 0.2), (0.8, 0.8)],
    [(0.8, 0.2), (0.2, 0.8)],
    [(0.5, 0.1), (0.5, 0.9)],
    [(0.1, 0.5), (0.9, 0.5)],
]
CLASSES = ("shirt", "trouser", "pullover", "dress", "coat", "sandal", "blouse", "sneaker", "bag", "boot")


def test_digit_doubt_no_digit_and_number_are_told_apart(visitor: Visitor, site: Server) -> None:
    page = visitor.open(site.url)
    view = page.locator(".view")
    draw(page, placed(7))
    read(page)
    expect(view).to_have_attribute("data-verdict", "sure")
    # a star
    page.keyboard.press("c")
    draw(page, STAR)
    read(page)
    expect(view).to_have_attribute("data-verdict", "none")
    expect(page.locator(".sure")).to_have_text(re.compile("I don.t think this is a digit"))
    # a gray 6 in another font, which the network takes for a 6, or for another digit
    page.get_by_label("Picture", exact=True).set_input_files(DIGITS / "6.png")
    expect(page.locator(".sure")).to_have_text(re.compile(r"^6, or \d\? "))
    # a number
    page.keyboard.press("c")
    for place, digit in enumerate((2, 0, 2, 6)):
        draw(page, [[(0.03 + 0.24 * place + 0.55 * (x - 0.3), y) for x, y in stroke] for stroke in placed(digit)])
    assert read(page) == "2026"
    expect(page.locator(".mini")).to_have_count(4)
    page.get_by_role("button", name="Open the 6 on the pad").click()
    expect(page.locator(".answer")).to_have_text("6")
    expect(page.locator(".mini")).to_have_count(0)


def test_units_of_the_network_are_lit_and_show_their_weights(visitor: Visitor, site: Server) -> None:
    page = visitor.open(site.url)
    inputs, first, second = (page.locator(f".layer.{name} canvas") for name in ("input", "hidden1", "hidden2"))
    blank = painted(second)
    draw(page, placed(3))
    read(page)
    await_inside(page, version=1)
    before, lit = painted(inputs), painted(first)
    assert painted(second) != blank
    # when
    first.focus()
    page.keyboard.press("ArrowRight")
    # then
    expect(page.get_by_text(re.compile(r"^Unit 2: \d+ % active\. Red pixels activate it"))).to_be_visible()
    expect(first).to_have_attribute("aria-valuenow", "2")
    assert painted(inputs) != before
    # when: an output
    page.locator(".bars label").nth(3).hover()
    expect(page.get_by_text("Output 3. Red units activate it")).to_be_visible()
    page.mouse.move(0, 0)
    assert (painted(inputs), painted(first)) == (before, lit)
    # when
    page.keyboard.press("c")
    await_state(page, "blank")
    assert painted(second) == blank


def test_inside_shows_the_last_drawing_when_the_network_arrives_after_it(visitor: Visitor, site: Server) -> None:
    page = visitor.open(site.url)
    draw(page, placed(3))
    read(page)
    await_inside(page, version=1)
    expected = painted(page.locator(".layer.input canvas"))
    page = visitor.open("about:blank")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/versions/1/checkpoint", hold)
    page.goto(site.url)
    draw(page, placed(7))
    read(page)
    page.keyboard.press("c")
    await_state(page, "blank")
    draw(page, placed(3))
    read(page)
    assert held
    # when
    for checkpoint in held:
        checkpoint.continue_()
    # then
    await_inside(page, version=1)
    assert painted(page.locator(".layer.input canvas")) == expected


def test_inside_shows_nothing_if_the_network_of_another_version_cannot_be_loaded(
    visitor: Visitor, two_versions: Server
) -> None:
    page = visitor.open(two_versions.url)
    blank = painted(page.locator(".layer.hidden1 canvas"))
    draw(page, placed(3))
    read(page)
    await_inside(page, version=2)
    assert painted(page.locator(".layer.hidden1 canvas")) != blank
    page.route("**/versions/1/checkpoint", lambda route: route.fulfill(status=404))
    visitor.expected_refusals = {404}
    promote(two_versions, 1)
    # when
    page.keyboard.press("c")
    await_state(page, "blank")
    draw(page, placed(7))
    with page.expect_response("**/versions/1/checkpoint"):
        read(page)
    # then
    expect(page.locator(".strips")).to_have_attribute("aria-busy", "false")
    expect(page.locator(".strips")).not_to_have_attribute("data-version", re.compile("."))
    assert painted(page.locator(".layer.hidden1 canvas")) == blank
    page.locator(".layer.hidden1 canvas").press("ArrowRight")
    expect(page.locator(".layer.hidden1 canvas")).to_have_attribute("aria-valuenow", "2")
    expect(page.get_by_text(re.compile("^Unit 2: "))).to_have_count(0)  # of the network of the other version


def test_hidden_unit_shows_the_training_digits_that_excite_it_most(visitor: Visitor, site: Server) -> None:
    page = visitor.open(site.url)
    draw(page, placed(3))
    read(page)
    await_inside(page, version=1)
    expect(page.locator(".activating")).to_be_hidden()
    for layer, key, unit in (("hidden1", "ArrowRight", 1), ("hidden2", "ArrowDown", 16)):
        number = int(layer[-1])
        expected = httpx.get(f"{site.url}/versions/1/units/{number}/{unit}").json()["items"]
        # when
        page.locator(f".layer.{layer} canvas").press(key)
        # then
        expect(page.get_by_text(f"Unit {unit + 1} of layer {number}: the training digits")).to_be_visible()
        shown = page.locator(".activating img")
        assert [image.get_attribute("src") for image in shown.all()] == [item["image"] for item in expected]
        expect(shown.first).to_have_attribute("alt", f"Training image {expected[0]['index']:,}: {expected[0]['label']}")
    # when: they stay to be opened
    page.keyboard.press("Tab")
    page.locator(".activating a").first.press("Enter")
    # then
    expect(page.locator(".seen img, .inside img").first).to_have_attribute("src", expected[0]["image"])
    page.keyboard.press("c")
    expect(page.locator(".activating")).to_be_hidden()


def test_server_without_training_images_is_asked_once_and_that_part_is_left_out(
    visitor: Visitor, two_versions: Server
) -> None:
    visitor.expected_refusals = {503}
    page = visitor.open(two_versions.url)
    draw(page, placed(3))
    read(page)
    await_inside(page, version=2)
    cells = page.locator(".layer.hidden1 canvas")
    with page.expect_response("**/versions/2/units/1/1"):
        cells.press("ArrowRight")
    for _ in range(3):
        cells.press("ArrowRight")
    expect(page.get_by_text(re.compile("^Unit 5: "))).to_be_visible()
    cells.press("Escape")
    page.wait_for_timeout(300)  # longer than a pointer has to rest before it asks
    assert len(visitor.refusals) == 1
    expect(page.locator(".activating")).to_be_hidden()


def test_drawing_is_opened_from_its_link_and_saved_as_a_picture(visitor: Visitor, site: Server, tmp_path: Path) -> None:
    page = visitor.open(site.url, permissions=["clipboard-read", "clipboard-write"])
    draw(page, placed(5))
    read(page)
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    assert len(link) < 2000
    # when: opened elsewhere, and where a drawing is
    other = visitor.open_tab(page.context, link)
    assert read(other) == "5"
    other.keyboard.press("c")
    await_state(other, "blank")
    other.evaluate("hash => location.hash = hash", link.partition("#")[2])
    expect(other.locator(".answer")).to_have_text("5")
    # when: damaged
    other.keyboard.press("c")
    for damaged in ("strokes/zz", "image/%", "strokes", "nothing/at/all"):
        other.evaluate("hash => location.hash = `#draw/${hash}`", damaged)
    expect(other.locator(".view")).not_to_have_attribute("data-state", "read")
    # when
    with page.expect_download() as download:
        page.get_by_role("button", name="Save picture").click()
    download.value.save_as(tmp_path / "saved.png")
    with Image.open(tmp_path / "saved.png") as saved:
        assert saved.size == (1200, 630)


def test_part_of_a_picture_is_chosen_and_several_pictures_are_a_gallery(
    visitor: Visitor, site: Server, tmp_path: Path
) -> None:
    # given: a picture of two digits, which are too far apart for one, and no number
    visitor.expected_refusals = {422}
    page = visitor.open(site.url)
    picture = Image.new("L", (600, 600), 240)
    for digit, place in ((7, (40, 40)), (1, (400, 400))):
        with Image.open(DIGITS / f"{digit}.png") as light:
            picture.paste(light.convert("L").resize((150, 150)).point(lambda level: 240 - level * 0.8), place)
    picture.save(tmp_path / "two.png")
    page.get_by_label("Picture", exact=True).set_input_files(tmp_path / "two.png")
    expect(page.locator(".crop")).to_be_visible()
    # when: the reader chooses one, then the other
    move_crop(page, (0.02, 0.02), (0.38, 0.38))
    expect(page.locator(".answer")).to_have_text("7")
    move_crop(page, (0.62, 0.62), (0.98, 0.98))
    expect(page.locator(".answer")).to_have_text("1")
    # when: several, of which one is none
    (tmp_path / "=1.png").write_text("nothing")
    page.get_by_label("Picture", exact=True).set_input_files([DIGITS / "2.png", DIGITS / "8.png", tmp_path / "=1.png"])
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as CSV").click()
    download.value.save_as(tmp_path / "inkling.csv")
    head, two, eight, none = (tmp_path / "inkling.csv").read_text("utf-8-sig").split()[:4]
    assert head == "file,digit,confidence,is_digit,error"
    assert (two[:8], eight[:8], none[:12]) == ("2.png,2,", "8.png,8,", "'=1.png,,,,T")
    page.get_by_role("button", name="Open 8.png on the pad").click()
    expect(page.locator(".answer")).to_have_text("8")


def test_camera_shows_what_it_sees_and_is_let_go(visitor: Visitor, site: Server) -> None:
    visitor.expected_refusals = {422}  # Chromium's test pattern shows no digit
    page = visitor.open(site.url, permissions=["camera"])
    page.get_by_role("button", name="Camera").click()
    page.get_by_role("button", name="Take the picture").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(".view")).to_have_attribute("data-state", re.compile("^(read|refused)$"))


def test_pad_at_rest_writes_one_sample_that_makes_way(visitor: Visitor, site: Server) -> None:
    page = visitor.open(site.url, reduced_motion="no-preference")
    read(page)
    draw(page, placed(4))
    assert read(page) == "4"


def test_version_of_other_classes_is_named_by_them(visitor: Visitor, site: Server) -> None:
    visitor.expected_refusals = {422}  # until the page knows that the version was promoted
    checkpoint = make_checkpoint_of(CLASSES)
    page = visitor.open(site.url)
    try:
        uploaded = httpx.post(f"{site.url}/versions", content=checkpoint.content).json()["version"]
        promote(site, uploaded)
        draw(page, placed(7))
        assert read(page) == "dress"
        expect(page.locator(".bars .digit")).to_have_text([*CLASSES])
        expect(page.locator("#served")).to_contain_text(f"v{uploaded}")
    finally:
        promote(site, 1)
    page.keyboard.press("c")
    draw(page, placed(7))
    expect(page.locator(".answer")).to_have_text("7")
    expect(page.locator(".bars .digit")).to_have_text([*"0123456789"])


def move_crop(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag the corners of the crop box, one after the other, to places in shares of the pad."""
    frame = page.locator(".frame").bounding_box()
    assert frame
    corners = [(".right.bottom", end), (".left.top", start), (".right.bottom", end)]
    for corner, (x, y) in corners:
        handle = page.locator(f".handle{corner}").bounding_box()
        assert handle
        page.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2)
        page.mouse.down()
        page.mouse.move(frame["x"] + x * frame["width"], frame["y"] + y * frame["height"])
        page.mouse.up()


def promote(site: Server, version: int) -> None:
    body = {"version": version, "across_datasets": True}
    httpx.put(f"{site.url}/versions/current", json=body).raise_for_status()


def await_inside(page: Page, version: int) -> None:
    """Await that the layers show what the version computes of the answered drawing."""
    strips = page.locator(".strips")
    expect(strips).to_have_attribute("aria-busy", "false")
    expect(strips).to_have_attribute("data-version", str(version))


def painted(canvas: Locator) -> str:
    """Return what is on a canvas."""
    pixels: str = canvas.evaluate("canvas => canvas.toDataURL()")
    return pixels
