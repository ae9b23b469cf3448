import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from app.settings import Settings
from inkling.network.checkpoint import Checkpoint, save
from inkling.network.evaluation import evaluate
from tests.page.visitors import Visitor, await_state, read
from tests.support.networks import make_card, make_checkpoint_of, make_evaluation, random_parameters
from tests.support.own_data import ANIMALS
from tests.support.servers import Server, start_server
from tests.support.services import open_registry, publish

pytestmark = pytest.mark.unmeasured

LABELS = np.arange(100, dtype=np.uint8) % 10
FIVES_UNREAD = evaluate(np.eye(10, dtype=np.float32)[np.where(LABELS == 5, 6, LABELS)], LABELS)
"""The evaluation of a reader that takes each 5 for a 6, and is right otherwise."""


SHOW_FIVES_READ_AS_FIVES = """async () => {
  const folder = document.querySelector("script[src]").src.replace(/main\\.js$/, "");
  const { showMisread } = await import(`${folder}misread.js`);
  await showMisread(document.querySelector(".view > section"), { version: 1, classes: [..."0123456789"] }, 5, 5);
}"""


def row(page: Page, version: int) -> str:
    return page.locator("tbody tr").filter(has=page.get_by_role("link", name=str(version), exact=True)).inner_text()


def test_rollback_serves_the_older_version_and_promotion_the_newer_one(visitor: Visitor, two_versions: Server) -> None:
    page = visitor.open(f"{two_versions.url}/#versions")
    served = page.locator("tr.served th")
    expect(served).to_contain_text("2")
    page.get_by_role("button", name="Roll back").click()
    expect(page.get_by_role("dialog")).to_contain_text("Roll back to version 1?")
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(served).to_contain_text("2")
    page.get_by_role("button", name="Roll back").click()
    page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    expect(page.get_by_text("Version 1 is served.")).to_be_visible()
    expect(served).to_contain_text("1")
    page.get_by_role("button", name="Serve").click()
    page.get_by_role("dialog").get_by_role("button", name="Serve").click()
    expect(served).to_contain_text("2")


def test_demotion_names_what_it_costs_and_leaves_the_verdict(
    visitor: Visitor, tmp_path: Path, small_mnist_dir: Path, shipped: Checkpoint
) -> None:
    # given: two runs that made the same file, which is worse than the served one
    worse = save(random_parameters(), make_card().model_copy(update={"dataset": "mnist", "evaluation": FIVES_UNREAD}))
    options = ("--trainer", "external", "--registry-poll-s", "0.05")
    with start_server(tmp_path / "data", *options, INKLING_MNIST_DIR=str(small_mnist_dir)) as server:
        with open_registry(Settings(data_dir=tmp_path / "data")) as registry:
            assert [publish(registry, worse, promoted=False) for _ in range(2)] == [2, 3]
        page = visitor.open(f"{server.url}/#versions")
        expect(page.locator(".axis li")).to_have_text([re.compile("v3.*90.00 %"), re.compile("v1")])
        expect(page.locator("tbody tr").first).to_contain_text("the same file as 2")
        # when
        page.get_by_role("button", name="Serve").click()
        dialog = page.get_by_role("dialog")
        # then
        points = 100 * (shipped.card.evaluation.accuracy - 0.9)
        expect(dialog).to_contain_text(f"This costs {points:.2f} points of test accuracy, most at 5: 0.0 %")
        expect(dialog.locator(".danger")).to_have_text("Serve")
        dialog.get_by_role("button", name="Serve").click()
        expect(page.locator("tr.served")).to_contain_text("as the test wants it")
        expect(page.locator("tr.served")).to_contain_text("Served by hand")
        expect(page.locator(".timeline li").first).to_contain_text("v3 served by hand")
        # when: the cell of the fives that it took for sixes is chosen
        page.get_by_role("cell", name="5 read as 6").first.click()
        # then: the test images that this server has are shown
        expect(page.get_by_role("heading", name="5 read as 6")).to_contain_text("test images")


def test_image_behind_a_cell_of_the_matrix_is_opened_on_the_pad(visitor: Visitor, site: Server) -> None:
    page = visitor.open(f"{site.url}/#versions")
    page.evaluate(SHOW_FIVES_READ_AS_FIVES)
    page.get_by_role("link", name="Open on the pad").first.click()
    assert read(page) == "5"


def test_tab_with_an_outdated_version_is_refused(visitor: Visitor, two_versions: Server) -> None:
    visitor.expected_refusals = {412}
    page = visitor.open(f"{two_versions.url}/#versions")
    page.get_by_role("button", name="Roll back").click()
    other = visitor.open_tab(page.context, f"{two_versions.url}/#versions")
    other.get_by_role("button", name="Roll back").click()
    other.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    expect(other.locator("tr.served th")).to_contain_text("1")
    page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    expect(page.get_by_role("alert")).to_contain_text("A newer promotion exists")
    expect(page.locator("tr.served th")).to_contain_text("1")


def test_arrow_keys_describe_each_cell_of_the_confusion_matrix(visitor: Visitor, two_versions: Server) -> None:
    visitor.expected_refusals = {503}  # this server has no test images
    page = visitor.open(f"{two_versions.url}/#versions/1-2")
    matrix = page.get_by_role("table", name="Confusion matrix of version 1")
    confusion = page.evaluate("fetch('versions/1').then(r => r.json()).then(v => v.evaluation.confusion_matrix)")
    first = matrix.locator("tbody td").first
    first.focus()
    for _ in range(4):
        page.keyboard.press("ArrowDown")
    for _ in range(9):
        page.keyboard.press("ArrowRight")
    expect(page.locator(".pair .note").first).to_contain_text(f"4 read as 9: {confusion[4][9]} of {sum(confusion[4])}")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("this server has no test images")


def test_checkpoint_is_downloaded(visitor: Visitor, two_versions: Server) -> None:
    page = visitor.open(f"{two_versions.url}/#versions")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the checkpoint of version 1").click()
    assert download.value.suggested_filename == "inkling-1.safetensors"


def test_two_versions_stand_side_by_side_and_in_the_address(visitor: Visitor, two_versions: Server) -> None:
    page = visitor.open(f"{two_versions.url}/#versions")
    page.get_by_label("On the left").select_option("1")
    expect(page).to_have_url(f"{two_versions.url}/#versions/1-1")
    page.get_by_label("On the right").select_option("2")
    page.reload()
    expect(page.get_by_label("On the left")).to_have_value("1")
    expect(page.get_by_label("On the right")).to_have_value("2")


def test_names_of_classes_are_shown_where_digits_would_be(visitor: Visitor, tmp_path: Path) -> None:
    with start_server(tmp_path / "data", "--trainer", "external", "--registry-poll-s", "0.05") as server:
        with open_registry(Settings(data_dir=tmp_path / "data")) as registry:
            registry.versions.add_upload(make_checkpoint_of(ANIMALS, fit="mnist"), make_evaluation())
            registry.versions.promote(2, "for the test", across_datasets=True)
        page = visitor.open(server.url)
        page.get_by_role("button", name="Write a 7").click()
        await_state(page, "read")
        expect(page.locator(".answer")).to_have_text("dog")
        expect(page.locator(".bars")).to_contain_text("ibis")
        page.goto(f"{server.url}/#versions")
        expect(page.locator("tr.served")).to_contain_text("animals")
        expect(page.locator(".matrix tbody").first).to_contain_text("eel")
