import httpx
import numpy as np
import pytest

from inkling.network.checkpoint import Checkpoint

pytestmark = pytest.mark.anyio


async def test_report_is_the_served_versions_evaluation(client: httpx.AsyncClient, shipped: Checkpoint) -> None:
    report = (await client.get("/metrics")).json()
    evaluation = shipped.card.evaluation
    assert report == {
        **evaluation.model_dump(mode="json"),
        "version": 1,
        "digest": shipped.digest,
        "dataset": shipped.card.dataset,
    }
    assert report["accuracy"] == report["correct"] / report["total"]


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
