"""The newest search on the view Train: its trials as dots, the best ones, and its cancellation."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from inkling.network.checkpoint import Checkpoint
from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from tests.page.visitors import Visitor
from tests.support.searches import BASE, claim, end_trial, start
from tests.support.servers import start_server

pytestmark = pytest.mark.unmeasured


def test_search_is_shown_as_a_chart_and_stopped(visitor: Visitor, tmp_path: Path, checkpoint: Checkpoint) -> None:
    # given: trials that ended with 0.5 and 0.25, and one that waits
    registry = Registry(StoreSettings(data_dir=tmp_path / "data").registry_url)
    registry.versions.add_first(checkpoint)
    search = start(registry, name="rates")
    recipes = [BASE.with_overrides({"learning_rate": rate}) for rate in (0.01, 0.02, 0.04)]
    registry.searches.queue_trials(search, 0, recipes, {})
    for loss in (0.5, 0.25):
        end_trial(registry, claim(registry), checkpoint, loss)
    with start_server(tmp_path / "data", "--trainer", "external") as server:
        page = visitor.open(f"{server.url}/#train")
        # then
        expect(page.get_by_role("heading", name="Search rates")).to_contain_text("searching")
        expect(page.get_by_text("2 of 8 trials have ended.")).to_be_visible()
        chart = page.get_by_role("img", name="Learning rate and held-out cross-entropy")
        expect(chart.locator("circle")).to_have_count(2)
        expect(chart.locator("circle.best title")).to_have_text("Trial 2: 0.02, cross-entropy 0.2500")
        best = page.get_by_role("group", name="The best trials so far").get_by_role("row")
        expect(best.nth(1)).to_contain_text("0.2500")
        # when
        page.get_by_role("button", name="Stop the search").click()
        # then
        expect(page.get_by_role("heading", name="Search rates")).to_contain_text("stopped")
        expect(page.get_by_role("button", name="Stop the search")).to_have_count(0)
    assert registry.searches.get(search.id).state == "cancelled"
    registry.close()
