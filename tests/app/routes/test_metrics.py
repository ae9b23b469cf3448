import httpx
import numpy as np
import pytest

from app.settings import Settings
from inkling.network.checkpoint import Checkpoint
from tests.support.runs import execute
from tests.support.services import connect, open_registry, retrained

pytestmark = pytest.mark.anyio


async def test_report_is_the_served_versions_evaluation(client: httpx.AsyncClient, shipped: Checkpoint) -> None:
    report = (await client.get("/metrics")).json()
    evaluation = shipped.card.evaluation
    assert report == {
        **evaluation.model_dump(mode="json"),
        "version": 1,
        "digest": shipped.digest,
        "dataset": shipped.card.dataset,
        "classes": [*"0123456789"],
        "fit": "mnist",
        "measured_by": "release",
        "refused": None,
        "feedback": None,
    }
    assert report["accuracy"] == report["correct"] / report["total"]


async def test_metrics_are_there_while_no_version_is_loaded(settings: Settings, shipped: Checkpoint) -> None:
    # given: a registry whose promotions are lost
    settings.data_dir.mkdir()
    with open_registry(settings) as registry:
        registry.versions.add_first(shipped)
    execute(settings, "DELETE FROM promotions")
    async with connect(settings) as client:
        assert (await client.get("/readyz")).status_code == 503
        assert (await client.get("/metrics")).status_code == 503
        # then
        exposition = await client.get("/metrics?format=prometheus")
        assert exposition.status_code == 200
        assert "inkling_served_version NaN" in exposition.text


async def test_claims_of_an_uploaded_file_are_not_repeated(settings: Settings, shipped: Checkpoint) -> None:
    # given: a server without test images, and a network that has learned nothing, with the card of the shipped one
    upload = retrained(shipped, 2)
    async with connect(settings.model_copy(update={"mnist_dir": None})) as client:
        version = (await client.post("/versions", content=upload.content)).json()
        await client.put("/versions/current", json={"version": version["version"]})
        # then
        assert (version["evaluation"], version["measured_by"]) == (None, None)
        report = (await client.get("/metrics")).json()
        assert (report["version"], report["digest"]) == (2, upload.digest)
        assert {report[name] for name in ("accuracy", "total", "loss", "digits", "measured_by")} == {None}
        exposition = (await client.get("/metrics?format=prometheus")).text
        assert "inkling_test_accuracy NaN" in exposition
        assert "inkling_test_images 0.0" in exposition
        assert "inkling_promotion_refused 0.0" in exposition


async def test_uploaded_file_is_measured_where_there_are_test_images(
    client: httpx.AsyncClient, shipped: Checkpoint
) -> None:
    upload = retrained(shipped, 2)
    version = (await client.post("/versions", content=upload.content)).json()
    await client.put("/versions/current", json={"version": version["version"]})
    report = (await client.get("/metrics")).json()
    assert (report["measured_by"], report["total"]) == ("server", 500)
    assert report["accuracy"] == version["evaluation"]["accuracy"] < 0.5 < shipped.card.evaluation.accuracy


async def test_figures_of_the_report_agree_with_each_other(client: httpx.AsyncClient) -> None:
    report = (await client.get("/metrics")).json()
    confusion = np.array(report["confusion_matrix"])
    assert confusion.shape == (10, 10)
    assert confusion.sum() == report["total"]
    assert confusion.trace() == report["correct"]
    low, high = report["interval_95"]
    assert low < report["accuracy"] < high
    for score in report["digits"]:
        digit = score["digit"]
        assert score["count"] == confusion[digit].sum()
        assert score["recall"] == pytest.approx(confusion[digit, digit] / confusion[digit].sum())
        assert score["precision"] == pytest.approx(confusion[digit, digit] / confusion[:, digit].sum())
    assert [score["digit"] for score in report["digits"]] == list(range(10))


async def test_shipped_network_is_as_accurate_as_the_tutorials(client: httpx.AsyncClient) -> None:
    report = (await client.get("/metrics")).json()
    assert (report["dataset"], report["total"]) == ("mnist", 10_000)
    assert report["accuracy"] >= 0.92
