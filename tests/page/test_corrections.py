"""Corrections, and what is made of them: by the browser alone."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page, Route, expect

from benchmarks.learning import FINE_TUNING
from benchmarks.people import Person
from inkling.digit import Gray
from inkling.network.classifier import Classifier
from inkling.network.pretrained import load_pretrained
from tests.page.strokes import placed
from tests.page.visitors import Visitor, await_state, draw, read
from tests.support.servers import Server, start_server

pytestmark = pytest.mark.unmeasured

COUNT = 50
"""Corrections of the person."""
TRAINED_MS = 280_000
SHORTER = {"training_steps": 300, "validation_size": 500}
"""What the test with a small dataset changes of the page's recipe."""


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory, small_mnist_dir: Path) -> Iterator[Server]:
    """A server that takes corrections and trains."""
    with start_server(
        tmp_path_factory.mktemp("data"), "--feedback", "on", INKLING_MNIST_DIR=str(small_mnist_dir)
    ) as server:
        yield server


def test_corrected_drawing_goes_to_my_digits_and_is_deleted_there(visitor: Visitor, school: Server) -> None:
    page = visitor.open(school.url)
    # when: one is corrected, and one is no digit
    draw(page, placed(7))
    read(page)
    correct(page, "1")
    expect(page.locator(".sure")).to_contain_text("Kept, with 1 in all")
    draw(page, placed(3))
    read(page)
    correct(page, "none")
    # then: both are there, also after a reload, and the server knows whose they are
    assert tray(page) == ["none", "1"]
    page.reload()
    expect(page.locator(".tray li")).to_have_count(2)
    name = page.evaluate("localStorage.getItem('inkling-source')")
    kept = httpx.get(f"{school.url}/feedback").json()["items"]
    assert [(item["label"], item["digit"], item["source"]) for item in kept] == [("none", 3, name), ("1", 7, name)]
    expect(page.get_by_role("button", name="Train with mine")).to_be_disabled()
    assert [violation["id"] for violation in Axe().run(page).response["violations"]] == []
    expect(page.locator("footer")).to_contain_text(name)
    # when
    page.get_by_role("button", name="Open the 1 on the pad").click()
    expect(page.locator(".answer")).to_have_text("7")
    for label in ("no digit", "1"):
        page.get_by_role("button", name=f"Delete the {label}").click()
    # then
    expect(page.get_by_role("heading", name="My digits")).to_be_hidden()
    assert httpx.get(f"{school.url}/feedback").json()["items"] == []


def test_server_that_takes_no_corrections_is_not_offered_any(visitor: Visitor, site: Server) -> None:
    page = visitor.open(site.url)
    draw(page, placed(7))
    read(page)
    expect(page.get_by_role("link", name="v1 · 99.53 %")).to_be_visible()
    expect(page.locator(".corrections")).to_be_hidden()
    expect(page.locator("footer")).to_contain_text("not stored")


@pytest.mark.train
def test_person_trains_with_corrections_and_rolls_back(visitor: Visitor, school: Server) -> None:
    def shorten(route: Route) -> None:
        body = json.loads(route.request.post_data or "")
        changed = FINE_TUNING.model_dump(include=set(body["overrides"]))
        assert (body["recipe"], body["promote"], body["overrides"]) == ("accurate", "if_better", changed)
        route.continue_(post_data=json.dumps(body | {"overrides": body["overrides"] | SHORTER}))

    page = visitor.open(school.url)
    page.route("**/train", shorten)
    learn_and_roll_back(page)


@pytest.mark.train
@pytest.mark.mnist
@pytest.mark.long
def test_person_of_fifty_corrections_is_read_better_on_mnist_too(
    visitor: Visitor, tmp_path: Path, real_mnist_dir: Path
) -> None:
    with start_server(tmp_path, "--feedback", "on", INKLING_MNIST_DIR=str(real_mnist_dir)) as server:
        learn_and_roll_back(visitor.open(server.url))


def learn_and_roll_back(page: Page) -> None:
    """Correct fifty pictures of one person, train with them, and roll back; all is claimed of what the page shows."""
    for image, label in zip(*wrongly_read(), strict=True):
        open_picture(page, image)
        correct(page, str(label))
    expect(page.locator(".tray li")).to_have_count(COUNT)
    # when
    page.get_by_role("button", name="Train with mine").click()
    # then
    expect(page.locator(".own-result")).to_contain_text(
        "Version 2 reads your digits better and answers from now on.", timeout=TRAINED_MS
    )
    people = page.get_by_role("row", name="Corrections held out").locator("b")
    before, after = (float(text.removesuffix(" %")) for text in people.all_inner_texts())
    assert before < after
    expect(page.locator("#served")).to_contain_text("v2 · ")
    # when
    page.get_by_role("button", name="Roll back to version 1").click()
    # then
    expect(page.locator("#served")).to_contain_text("v1 · ")
    expect(page.locator(".own-result")).to_contain_text("Version 1 is served.")


def wrongly_read() -> tuple[Gray, NDArray[Any]]:
    """Return the fifty digits of a person in docs/learning.md, which the shipped version reads wrongly."""
    drawn = Person(1).write([i % 10 for i in range(400)], seed=2)
    is_wrong = Classifier(load_pretrained(), 1).probabilities(drawn.images).argmax(axis=1) != drawn.labels
    chosen = is_wrong.nonzero()[0][:COUNT]
    assert len(chosen) == COUNT
    return drawn.images[chosen], drawn.labels[chosen]


def open_picture(page: Page, image: Gray) -> None:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    page.get_by_label("Picture").set_input_files(
        {"name": "digit.png", "mimeType": "image/png", "buffer": file.getvalue()}
    )
    await_state(page, "read")


def correct(page: Page, label: str) -> None:
    page.locator(f'.chips button[value="{label}"]').click()
    await_state(page, "blank")


def tray(page: Page) -> list[str | None]:
    return [item.get_attribute("data-label") for item in page.locator(".tray li").all()]
