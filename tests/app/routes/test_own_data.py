"""A server whose version learned own data: names of classes in its answers, and calls that do not suit it."""

import base64
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from app.errors import UnavailableError
from app.serving.current_version import CurrentVersion
from app.settings import Settings
from inkling.registry.registry import Registry
from tests.support.bodies import PNG, image_file
from tests.support.networks import make_checkpoint_of
from tests.support.own_data import ANIMALS, GARMENTS
from tests.support.services import connect, open_registry

pytestmark = pytest.mark.anyio

LIGHT = image_file(np.full((28, 28), 200, np.uint8))
LARGE = image_file(np.full((60, 60), 200, np.uint8))


@pytest.fixture(scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """A service that serves version 2, which learned garments from pictures that were scaled; version 3, animals."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("shop"), trainer="external", registry_poll_s=0.05)
    async with connect(settings) as client:
        with open_registry(settings) as registry:
            registry.versions.add_upload(make_checkpoint_of(GARMENTS, "garments"))
            registry.versions.add_upload(make_checkpoint_of(ANIMALS))
        body = {"version": 2, "across_datasets": True}
        assert (await client.put("/versions/current", json=body)).status_code == 200
        yield client


async def post(client: httpx.AsyncClient, path: str, body: bytes, content_type: str = PNG) -> httpx.Response:
    return await client.post(path, content=body, headers={"Content-Type": content_type})


@pytest.mark.parametrize("query", ["", "?fit=strict"])
async def test_answer_names_the_class(shop: httpx.AsyncClient, query: str) -> None:
    (prediction,) = (await post(shop, f"/predict{query}", LIGHT)).json()["predictions"]
    assert (prediction["digit"], prediction["label"]) == (3, "Dress")
    assert {"is_digit", "warnings"}.isdisjoint(prediction), "it is no image of MNIST"
    explained = (await post(shop, "/explain", LIGHT)).json()
    assert explained["prediction"]["label"] == "Dress"
    assert (await post(shop, "/labels", LIGHT)).json()[0]["label"] == "Dress"


async def test_digits_have_no_label(client: httpx.AsyncClient) -> None:
    (prediction,) = (await post(client, "/predict", LIGHT)).json()["predictions"]
    assert "label" not in prediction


async def test_metrics_and_versions_name_dataset_and_classes(shop: httpx.AsyncClient) -> None:
    metrics = (await shop.get("/metrics")).json()
    assert (metrics["dataset"], metrics["classes"]) == ("garments", [*GARMENTS])
    listed = (await shop.get("/versions")).json()["items"]
    assert [(item["dataset"], item["classes"][0]) for item in listed] == [
        ("animals", "ant"), ("garments", "T-shirt/top"), ("mnist", "0"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/predict?fit=mnist", LARGE, "fit=mnist does not suit version 2: it learned garments (T-shirt/top, "),
        ("/explain?fit=mnist", LARGE, "fit=mnist does not suit version 2"),
        ("/labels?fit=mnist", LARGE, "fit=mnist does not suit version 2"),
        ("/predict?none=refuse", LIGHT, "because it learned other classes"),
        ("/read", LARGE, "/read reads numbers, which are made of digits"),
    ],
)
async def test_calls_for_digits_are_refused(shop: httpx.AsyncClient, path: str, body: bytes, words: str) -> None:
    refused = await post(shop, path, body)
    assert (refused.status_code, refused.json()["title"]) == (422, "Invalid field")
    assert words in refused.json()["detail"]


async def test_other_protocols_refuse_fit_mnist_too(shop: httpx.AsyncClient) -> None:
    body = {"instances": [{"b64": base64.b64encode(LARGE).decode()}], "parameters": {"fit": "mnist"}}
    refused = await shop.post("/v1/models/mnist:predict", json=body)
    assert refused.status_code == 400
    assert "fit=mnist does not suit version 2" in refused.json()["error"]


async def test_version_of_another_dataset_is_promoted_only_when_asked_for(shop: httpx.AsyncClient) -> None:
    refused = await shop.put("/versions/current", json={"version": 1})
    assert (refused.status_code, refused.json()["title"]) == (409, "The version learned another dataset")
    assert "send across_datasets=true" in refused.json()["detail"]
    assert (await shop.get("/versions/current")).json()["version"] == 2


async def test_upload_of_other_classes_is_not_measured_on_digits(client: httpx.AsyncClient) -> None:
    content = make_checkpoint_of(ANIMALS).content
    added = await client.post("/versions", content=content, headers={"Content-Type": "application/octet-stream"})
    assert (added.status_code, added.json()["evaluation"], added.json()["classes"]) == (201, None, [*ANIMALS])


async def test_run_is_queued_for_the_dataset_of_the_server(settings: Settings, tmp_path: Path) -> None:
    async with connect(settings.model_copy(update={"dataset": tmp_path / "animals"})) as client:
        assert (await client.post("/train", json={})).json()["dataset"] == "animals"


def test_no_digits_are_served_instead_of_a_damaged_version_of_other_classes(
    registry: Registry, settings: Settings
) -> None:
    registry.versions.add_first(make_checkpoint_of(ANIMALS))
    with sqlite3.connect(settings.data_dir / "inkling.db") as connection:
        connection.execute("UPDATE checkpoints SET content = X'00'")
    connection.close()
    serving = CurrentVersion(registry)
    serving.poll()
    assert serving.refused
    assert "no other version learned its dataset, so none is served instead" in serving.refused
    with pytest.raises(UnavailableError):
        _ = serving.predictor
