import os
import re
import signal
from pathlib import Path

import pytest
from playwright.sync_api import expect

from app.settings import Settings
from inkling.network.first_layer import FirstLayer
from inkling.registry.records import Progress
from tests.page.visitors import Visitor
from tests.support.events import claim, record
from tests.support.networks import random_parameters
from tests.support.servers import Server, start_server
from tests.support.services import open_registry
from training.timings import Timings

pytestmark = [pytest.mark.train, pytest.mark.unmeasured]
WAIT_MS = 120_000


def test_run_is_watched_from_start_to_promotion_through_a_killed_server(
    visitor: Visitor, tmp_path: Path, small_mnist_dir: Path
) -> None:
    data = {"INKLING_MNIST_DIR": str(small_mnist_dir)}
    with start_server(tmp_path / "data", **data) as first:
        port = first.url.rpartition(":")[2]
        page = visitor.open(f"{first.url}/#train")
        page.get_by_text("Advanced").click()
        page.get_by_label("Steps").fill("3000")
        page.get_by_label("Batch size").fill("64")
        page.get_by_label("Images held out").fill("200")
        page.get_by_label("Serve the new version").select_option("always")
        page.get_by_role("button", name="Start training").click()
        run = page.locator("[data-state]").last
        expect(page.get_by_text("left.")).to_be_visible(timeout=WAIT_MS)
        os.kill(first.process.pid, signal.SIGKILL)
        first.process.wait(10)
        expect(page.get_by_text("The connection is lost")).to_be_visible()
    with start_server(tmp_path / "data", "--port", port, **data):
        expect(run).to_have_attribute("data-state", "succeeded", timeout=WAIT_MS)
        steps = page.evaluate("fetch('train/1').then(r => r.json()).then(run => run.progress.map(line => line.step))")
        assert steps == list(range(100, 3001, 100))
        for stage in ("waiting", "reading images", "starting TensorFlow", "compiling", "training", "measuring"):
            expect(page.locator(".stages")).to_contain_text(stage)
        expect(page.locator("canvas.weights")).to_be_visible()
        drawn = page.locator(".chart").last.locator(".line.validation path").get_attribute("d")
        assert drawn
        assert drawn.count("L") + 1 == len(steps)
        page.get_by_role("link", name="Version 2").first.click()
        expect(page.locator("tr.served th")).to_contain_text("2")


def test_run_is_cancelled_and_the_other_tab_sees_it(visitor: Visitor, server: Server) -> None:
    # given: a run that would take minutes
    page = visitor.open(f"{server.url}/#train")
    page.get_by_text("Advanced").click()
    page.get_by_label("Steps").fill("100000")
    page.get_by_label("Images held out").fill("200")
    page.get_by_role("button", name="Start training").click()
    other = visitor.open_tab(page.context, f"{server.url}/#train/1")
    expect(other.get_by_role("heading", name="Run 1")).to_be_visible()
    page.get_by_role("button", name="Stop the run").click()
    page.get_by_role("dialog").get_by_role("button", name="Stop the run").click()
    for tab in (page, other):
        expect(tab.locator(".train [data-state]")).to_have_attribute("data-state", "cancelled")
    expect(page.locator("table")).to_contain_text("stopped")


def test_curves_of_several_runs_are_on_one_chart_and_time_left_leaves_out_the_start(
    visitor: Visitor, tmp_path: Path
) -> None:
    with start_server(tmp_path / "data", "--trainer", "external") as server:
        with open_registry(Settings(data_dir=tmp_path / "data")) as registry:
            first = claim(registry)
            record(registry, first, 100, 200)
            registry.runs.fail(first, "diverged", "for the test")
            second = claim(registry)
            registry.runs.enter_stage(second, "compiling")
            # 20 s until the first line, then 1 s for each: 28 lines are left
            for step, elapsed_s in ((100, 20.0), (200, 21.0)):
                registry.runs.record_progress(second, Progress(step, 300.0, 0.5, None, elapsed_s))
        page = visitor.open(f"{server.url}/#train")
        expect(page.get_by_text("About 28 s left.")).to_be_visible()
        page.get_by_label("Compare the curves of run 1").check()
        expect(page.locator(".chart").last.locator(".legend li")).to_have_text(
            [re.compile("Run 2"), re.compile("Run 1")]
        )
        expect(page.locator(".chart").last.locator(".line path")).to_have_count(2)
        page.get_by_label("Compare the curves of run 1").uncheck()
        expect(page.locator(".chart").last.locator(".line.published")).to_have_count(1)


def test_weights_are_drawn_again_at_each_display_step_and_replayed(visitor: Visitor, tmp_path: Path) -> None:
    # given: a run that has made no snapshot
    with (
        start_server(tmp_path / "data", "--trainer", "external") as server,
        open_registry(Settings(data_dir=tmp_path / "data")) as registry,
    ):
        run = claim(registry)
        page = visitor.open(f"{server.url}/#train")
        weights = page.locator("figure", has=page.locator("canvas.weights"))
        replay = weights.get_by_role("slider")
        drawn = []
        # when
        for step in (100, 200, 300):
            registry.runs.show_first_layer(run, FirstLayer.from_tensors(step, random_parameters(step)))
            record(registry, run, step)
            expect(weights).to_contain_text(f"Step {step}:")
            drawn.append(weights.locator("canvas").evaluate("canvas => canvas.toDataURL()"))
        # then
        assert len(set(drawn)) == 3
        replay.fill("0")
        expect(weights).to_contain_text("Step 100:")
        # when: newer ones come while older ones are looked at
        registry.runs.show_first_layer(run, FirstLayer.from_tensors(400, random_parameters(400)))
        record(registry, run, 400)
        expect(replay).to_have_attribute("max", "3")
        expect(weights).to_contain_text("Step 100:")
        replay.fill("1")
        expect(weights).to_contain_text("Step 200:")


def test_weights_of_a_run_are_drawn_more_often_than_it_makes_snapshots(
    visitor: Visitor, tmp_path: Path, small_mnist_dir: Path
) -> None:
    with start_server(tmp_path / "data", INKLING_MNIST_DIR=str(small_mnist_dir)) as server:
        page = visitor.open(f"{server.url}/#train")
        page.get_by_text("Advanced").click()
        page.get_by_label("Steps").fill("6000")
        page.get_by_label("Images held out").fill("200")
        page.get_by_role("button", name="Start training").click()
        expect(page.locator("[data-state]").last).to_have_attribute("data-state", "succeeded", timeout=WAIT_MS)
        weights = page.locator("figure", has=page.locator("canvas.weights"))
        expect(weights).to_contain_text("Step 6,000:")
        pictures = int(weights.get_by_role("slider").get_attribute("max") or "0") + 1
        trained_s = page.evaluate("fetch('train/1').then(r => r.json()).then(run => run.progress.at(-1).elapsed_s)")
        assert pictures > 2 + 2 * trained_s / Timings().snapshot_s


def test_value_out_of_bounds_never_reaches_the_server(visitor: Visitor, server: Server) -> None:
    page = visitor.open(f"{server.url}/#train")
    page.get_by_text("Advanced").click()
    page.get_by_label("Learning rate").fill("2")
    page.get_by_text("Advanced").click()
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_label("Learning rate")).to_be_visible()
    assert page.get_by_label("Learning rate").evaluate("input => input.validity.rangeOverflow")
    expect(page.get_by_text("No run yet.")).to_be_visible()


def test_missing_training_images_are_reported_with_the_remedy(visitor: Visitor, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with start_server(tmp_path / "data", INKLING_MNIST_DIR=str(tmp_path / "empty")) as server:
        page = visitor.open(f"{server.url}/#train")
        page.get_by_role("button", name="Start training").click()
        expect(page.get_by_role("alert")).to_contain_text("The training images are missing", timeout=WAIT_MS)
        expect(page.get_by_role("alert")).to_contain_text("INKLING_MNIST_DIR")
