"""The accessibility rules of axe, which finds nothing in 57 contexts of the page.

A context is a situation of the page, such as an open dialog, in an appearance: theme, language, width, forced colors.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from app.settings import Settings
from inkling.network.checkpoint import save
from inkling.network.evaluation import evaluate
from tests.page.strokes import placed
from tests.page.visitors import NETWORK_IS_KEPT, Visitor, await_state, draw, read
from tests.support.events import claim, record
from tests.support.networks import make_card, parameters_that_read
from tests.support.searches import BASE, end_trial
from tests.support.searches import claim as claim_trial
from tests.support.searches import start as start_search
from tests.support.servers import Server, start_server
from tests.support.services import eventually, open_registry, publish

pytestmark = pytest.mark.unmeasured

DIGITS = Path(__file__).parent.parent.parent / "docs" / "digits"
LABELS = np.arange(100, dtype=np.uint8) % 10
FIVES_UNREAD = evaluate(np.eye(10, dtype=np.float32)[np.where(LABELS == 5, 6, LABELS)], LABELS)
KEY = "a-key-for-the-test"
APPEARANCES = {
    "light, English, wide": {"color_scheme": "light", "locale": "en-GB", "viewport": {"width": 1440, "height": 900}},
    "dark, Chinese, phone": {"color_scheme": "dark", "locale": "zh-CN", "viewport": {"width": 360, "height": 740}},
    "forced colors, English, tablet": {
        "forced_colors": "active",
        "locale": "en-GB",
        "viewport": {"width": 768, "height": 1024},
    },
}


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory, small_mnist_dir: Path) -> Iterator[Server]:
    """A server with corrections, worse versions, a run that is trained, one that failed, and a search."""
    data_dir = tmp_path_factory.mktemp("data")
    options = ("--trainer", "external", "--feedback", "on", "--registry-poll-s", "0.05")
    data = {"INKLING_API_KEY": KEY, "INKLING_MNIST_DIR": str(small_mnist_dir)}
    with start_server(data_dir, *options, **data) as server:
        worse = save(
            parameters_that_read(6), make_card().model_copy(update={"dataset": "mnist", "evaluation": FIVES_UNREAD})
        )
        with open_registry(Settings(data_dir=data_dir)) as registry:
            for _ in range(2):
                publish(registry, worse, promoted=False)
            failed = claim(registry)
            record(registry, failed, 100, 200)
            registry.runs.fail(failed, "diverged", "for the test")
            search = start_search(registry, name="rates")
            registry.searches.queue_trials(search, 0, [BASE], {})
            end_trial(registry, claim_trial(registry), worse, 0.5)
            trained = claim(registry)
            registry.runs.enter_stage(trained, "training")
            record(registry, trained, 100, 200)
        yield server


def go(page: Page, view: str, loaded: str) -> None:
    page.evaluate("view => location.hash = view", view)
    expect(page.locator(loaded).first).to_be_visible()


def close_dialog(page: Page) -> None:
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)


def situations(page: Page, server: Server) -> Iterator[str]:
    """Bring the page into one situation after the other, and yield the name of each."""
    yield from on_draw(page)
    yield from on_draw_with_pictures(page)
    yield from on_train(page)
    yield from on_versions(page)
    yield from on_service(page)
    yield from in_other_ways(page, server)


def on_draw(page: Page) -> Iterator[str]:
    await_state(page, "blank")
    yield "blank pad"
    draw(page, placed(7))
    read(page)
    expect(page.locator(".strips[data-version]")).to_be_visible()
    page.locator(".hidden1 canvas").press("ArrowRight")
    expect(page.locator(".activating li")).to_have_count(8)
    yield "unit that is pointed at"
    page.locator(".chips button[value='1']").click()
    expect(page.locator(".tray li")).to_have_count(1)
    yield "tray of corrected digits"
    page.locator(".mine .row button.plain").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    yield "corrections about to be deleted"
    close_dialog(page)
    page.locator(".pad").scroll_into_view_if_needed()
    for place, digit in enumerate((2, 0, 2, 6)):
        draw(page, [[(0.03 + 0.24 * place + 0.55 * (x - 0.3), y) for x, y in stroke] for stroke in placed(digit)])
    expect(page.locator(".mini")).to_have_count(4)
    yield "number"


def on_draw_with_pictures(page: Page) -> Iterator[str]:
    page.locator("#file").set_input_files(DIGITS / "6.png")
    expect(page.locator(".view")).to_have_attribute("data-verdict", "unsure")
    yield "doubt, and the crop of a picture"
    page.locator("#file").set_input_files([DIGITS / "2.png", DIGITS / "8.png", Path(__file__)])
    expect(page.locator(".gallery .digit")).to_have_count(2)
    expect(page.locator(".gallery .error")).to_have_count(1)
    yield "gallery"
    page.locator("#file").set_input_files(Path(__file__))
    await_state(page, "refused")
    # It appears half a second later: while it fades in, its contrast is not that of the text.
    page.locator(".refusal").evaluate("shown => Promise.all(shown.getAnimations().map(each => each.finished))")
    yield "file that is no picture"


def on_train(page: Page) -> Iterator[str]:
    go(page, "train", ".stages li")
    page.locator("details.advanced summary").click()
    page.locator("table .check input").first.check()
    expect(page.locator(".chart").last.locator(".legend li")).not_to_have_count(1)
    yield "run that is trained, a search, the advanced settings"
    page.locator("[data-state='running'] .row button").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    yield "run about to be stopped"
    close_dialog(page)


def on_versions(page: Page) -> Iterator[str]:
    go(page, "versions/3-1", ".matrix td.misread")
    yield "two versions side by side"
    page.locator(".matrix td.misread").first.click()
    expect(page.locator("ul.misread li").first).to_be_visible()
    yield "misread images"
    page.locator("tbody tr .actions button").first.click()
    expect(page.locator("dialog.danger")).to_be_visible()
    yield "demotion"
    close_dialog(page)


def on_service(page: Page) -> Iterator[str]:
    go(page, "service", ".cards dd")
    yield "service"
    page.evaluate("fetch('train/99')")
    page.locator(".stack > button.fit").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    yield "key that is asked for"
    page.get_by_role("dialog").locator("input").fill(KEY)
    page.keyboard.press("Enter")
    expect(page.locator("code").filter(has_text="/train/{run_id}").first).to_be_visible()
    yield "recent errors"


def in_other_ways(page: Page, server: Server) -> Iterator[str]:
    page.goto(f"{server.url}/?present")
    draw(page, placed(3))
    read(page)
    yield "large view"
    page.goto(f"{server.url}/?tour")
    dialog = page.get_by_role("dialog")
    for name in ("pad", "seen", "hidden1"):
        expect(dialog).to_have_attribute("data-step", name)
        if name != "hidden1":
            page.keyboard.press("Enter")
    yield "tour"
    page.goto(server.url)
    eventually(lambda: page.evaluate(NETWORK_IS_KEPT, 1), "the network is kept")
    page.context.set_offline(True)
    draw(page, placed(7))
    read(page)
    expect(page.locator("#served.away")).to_be_visible()
    yield "read in the browser"


@pytest.mark.parametrize("appearance", APPEARANCES)
def test_axe_finds_nothing(appearance: str, visitor: Visitor, school: Server) -> None:
    visitor.expected_refusals = {401, 404, 415, 422}
    page = visitor.open(school.url, **APPEARANCES[appearance])
    found = [
        (situation, violation["id"], [node["html"] for node in violation["nodes"]][:3])
        for situation in situations(page, school)
        for violation in Axe().run(page).response["violations"]
    ]
    assert found == []
