import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import numpy as np
import pytest

from app.main import create_app
from app.settings import Settings, VertexAi
from inkling.digit import Gray
from tests.app.protocols.test_tf_serving_v1 import scores
from tests.support.bodies import JSON, PNG, image_file
from tests.support.services import connect

pytestmark = pytest.mark.anyio

PATHS = ("/invocations", "/score")


async def post(client: httpx.AsyncClient, path: str, document: Any, content_type: str = JSON) -> httpx.Response:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return await client.post(path, content=body, headers={"Content-Type": content_type})


def documents(images: Gray) -> dict[str, Any]:
    """Return a body of each kind."""
    rows = images.reshape(-1, 784).tolist()
    files = [base64.b64encode(image_file(image)).decode() for image in images]
    names = [str(pixel) for pixel in range(784)]
    index = list(range(len(images)))
    return {
        "instances": {"instances": images.tolist()},
        "inputs": {"inputs": (images / 255).tolist()},
        "named inputs": {"inputs": {"images": rows}, "params": {}},
        "pandas": {"dataframe_split": {"index": index, "columns": names, "data": rows}},
        "pandas, one column": {"dataframe_split": {"columns": ["image"], "data": [[row] for row in rows]}},
        "pandas, files": {"dataframe_split": {"columns": ["image"], "data": [[file] for file in files]}},
        "records": {"dataframe_records": [dict(zip(names, row, strict=True)) for row in rows]},
        "records, one column": {"dataframe_records": [{"image": file} for file in files]},
    }


@pytest.mark.parametrize("count", [2, 60])
async def test_every_kind_of_body_gets_the_scores_of_predict(
    client: httpx.AsyncClient, digits: Gray, count: int
) -> None:
    images = np.concatenate([digits] * 3)[:count]
    expected = {"predictions": await scores(client, images)}
    for name, document in documents(images).items():
        for path in PATHS:
            assert (await post(client, path, document)).json() == expected, name


async def test_one_image_file_gets_the_scores_of_predict(client: httpx.AsyncClient, digits: Gray) -> None:
    expected = {"predictions": await scores(client, digits[3:4])}
    for content_type in (PNG, "application/x-image", "application/octet-stream", ""):
        assert (await post(client, "/invocations", image_file(digits[3]), content_type)).json() == expected
    picture = image_file(np.kron(255 - digits[3], np.ones((9, 9), np.uint8)))
    assert (await post(client, "/invocations", picture, PNG)).status_code == 400
    answer = await post(client, "/invocations?fit=mnist", picture, PNG)
    assert np.argmax(answer.json()["predictions"][0]) == 3


@pytest.mark.parametrize(
    ("document", "content_type", "status", "words"),
    [
        (b"", JSON, 400, "The document is empty"),
        (b"{", JSON, 400, "JSON Parse error"),
        ({}, JSON, 400, "expected one of the keys instances, inputs, dataframe_split, dataframe_records; found none"),
        ({"inputs": [1], "instances": [1]}, JSON, 400, "found instances, inputs"),
        ({"dataframe_split": [1]}, JSON, 400, "dataframe_split must be an object with `data`, not [...]"),
        ({"dataframe_split": {"data": []}}, JSON, 400, "`images` has shape [0]"),
        ({"dataframe_records": []}, JSON, 400, "No values in 'dataframe_records' array"),
        ({"dataframe_records": [{"a": 1}]}, JSON, 400, "keys must be equal to: images, found: a"),
        (b"0,0,0", "text/csv", 415, "Content-Type is text/csv, expected application/json"),
        (b"hello", PNG, 400, "is not an image"),
    ],
)
async def test_wrong_requests_are_refused_with_the_reason(
    client: httpx.AsyncClient, document: Any, content_type: str, status: int, words: str
) -> None:
    response = await post(client, "/invocations", document, content_type)
    assert (response.status_code, list(response.json())) == (status, ["error"])
    assert words in response.json()["error"]


async def test_other_methods_and_limits_have_the_same_shape(client: httpx.AsyncClient) -> None:
    response = await client.get("/invocations")
    assert (response.status_code, response.headers["Allow"], list(response.json())) == (405, "POST", ["error"])
    response = await client.post("/score", headers={"Content-Length": "99999999"})
    assert (response.status_code, list(response.json())) == (413, ["error"])
    for headers in ({"Content-Length": "99999999"}, {"Host": "example.org"}):
        assert list((await client.post("/invocations/", headers=headers)).json()) == ["error"]


@pytest.fixture
async def vertex(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a service in a container of Vertex AI."""
    paths = VertexAi(predict_route="/predict", health_route="/v1/endpoints/7/deployedModels/8")
    async with connect(create_app(settings, paths)) as client:
        yield client


async def test_vertex_ai_asks_at_the_paths_that_it_names(vertex: httpx.AsyncClient, digits: Gray) -> None:
    assert (await vertex.get("/v1/endpoints/7/deployedModels/8")).json() == {"status": "ready", "version": 1}
    expected = (await post(vertex, "/invocations", {"instances": digits.tolist()})).json()
    document = {"instances": digits.tolist(), "parameters": {"sampleCount": 1}}
    assert (await post(vertex, "/predict", document)).json() == expected
    wrong = await post(vertex, "/predict", {})
    assert (wrong.status_code, list(wrong.json())) == (400, ["error"])
