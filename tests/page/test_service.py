import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.page.strokes import placed
from tests.page.visitors import Visitor, draw, read
from tests.support.servers import Server, start_server

pytestmark = pytest.mark.unmeasured

KEY = "a-key-for-tests"
CHI_SQUARE = """async ([answers, tested]) => {
  const folder = document.querySelector("script[src]").src.replace(/main\\.js$/, "");
  return (await import(`${folder}drift.js`)).chiSquare(answers, tested);
}"""


def test_service_view_shows_version_latency_and_memory(visitor: Visitor, site: Server) -> None:
    page = visitor.open(site.url)
    draw(page, placed(3))
    read(page)
    page.get_by_role("link", name="Service").click()
    cards = page.locator(".cards")
    expect(cards).to_contain_text("Version 1")
    expect(cards).to_contain_text("95 % within")
    expect(cards).to_contain_text(" MB")
    expect(page.locator(".numbers")).to_contain_text("/predict")
    expect(page.locator(".sparkline path")).not_to_have_count(0)
    expect(page.locator(".answers .histogram").first.locator("li")).to_have_count(10)
    expect(page.get_by_text("Drift is not tested yet")).to_be_visible()
    for own in ("/metrics", "/readyz", "/page/"):
        expect(page.locator(".numbers")).not_to_contain_text(own)


def test_recent_errors_are_shown_with_their_request_ids(visitor: Visitor, site: Server) -> None:
    visitor.expected_refusals = {404}
    page = visitor.open(f"{site.url}/#service")
    request_id = page.evaluate("fetch('train/99').then(response => response.headers.get('x-request-id'))")
    page.get_by_role("button", name="Show recent errors").click()
    row = page.get_by_role("row").filter(has_text=request_id)
    expect(row).to_contain_text("GET /train/{run_id}")
    expect(row).to_contain_text("no-such-run")


def test_drift_is_pearsons_chi_square_of_two_samples(visitor: Visitor, site: Server) -> None:
    answers, tested = np.array([12, 9, 10, 7, 11, 4, 10, 13, 20, 4]), np.array([100] * 10)
    table = np.array([answers, tested])
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    statistic = float(((table - expected) ** 2 / expected).sum())
    half = statistic / 2  # the closed form of the upper tail for 9 degrees of freedom
    series = sum((2 * half) ** k / math.prod(range(1, 2 * k + 2, 2)) for k in range(4))
    tail = math.erfc(math.sqrt(half)) + math.sqrt(4 * half / math.pi) * math.exp(-half) * series
    page = visitor.open(site.url)
    found = page.evaluate(CHI_SQUARE, [answers.tolist(), tested.tolist()])
    assert (found["freedom"], found["n"]) == (9, 100)
    assert found["statistic"] == pytest.approx(statistic)
    assert found["p"] == pytest.approx(tail)
    assert page.evaluate(CHI_SQUARE, [[4] * 10, tested.tolist()]) is None  # too few


def test_key_is_asked_for_once_and_kept_for_the_tab(visitor: Visitor, tmp_path: Path, small_mnist_dir: Path) -> None:
    visitor.expected_refusals = {401}
    data = {"INKLING_API_KEY": KEY, "INKLING_MNIST_DIR": str(small_mnist_dir)}
    with start_server(tmp_path / "data", "--trainer", "external", **data) as server:
        page = visitor.open(f"{server.url}/#train")
        page.get_by_role("button", name="Start training").click()
        for key in ("a-wrong-key", KEY):
            page.get_by_role("dialog").get_by_label("API key").fill(key)
            page.keyboard.press("Enter")
            if key != KEY:
                expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("the API key is wrong")
        expect(page.get_by_role("heading", name="Run 1")).to_be_visible()
        page.reload()
        page.get_by_role("button", name="Start training").click()
        expect(page.get_by_role("heading", name="Run 2")).to_be_visible()
        expect(page.get_by_role("dialog")).to_have_count(0)


def test_unreachable_server_is_reported(visitor: Visitor, tmp_path: Path) -> None:
    visitor.expected_refusals.add(503)  # /readyz, while the server stops
    with start_server(tmp_path / "data", "--trainer", "external") as server:
        page = visitor.open(f"{server.url}/#service")
        expect(page.locator(".cards")).to_contain_text("Version 1")
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer.")


def test_docs_predict_an_uploaded_digit(visitor: Visitor, site: Server, tmp_path: Path) -> None:
    digit = Path(__file__).parent.parent.parent / "docs" / "digits" / "7.png"
    shutil.copy(digit, tmp_path / "7.png")
    page = visitor.open(f"{site.url}/docs")
    call = page.locator("#operations-predict-predict")
    call.get_by_role("button").first.click()
    call.locator("input[type=file]").set_input_files(tmp_path / "7.png")
    call.get_by_role("button", name="Execute").click()
    expect(call.locator(".live-responses-table")).to_contain_text('"digit": 7')
