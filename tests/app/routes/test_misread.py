import base64
import io
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from app.settings import Settings
from inkling import mnist
from inkling.network.checkpoint import Checkpoint
from inkling.network.classifier import Classifier
from inkling.predictor import Predictor
from tests.support.networks import make_checkpoint, make_checkpoint_of, parameters_that_read
from tests.support.own_data import ANIMALS
from tests.support.services import connect, retrained

pytestmark = pytest.mark.anyio


async def add(client: httpx.AsyncClient, checkpoint: Checkpoint) -> int:
    response = await client.post("/versions", content=checkpoint.content)
    return int(response.json()["version"])


async def test_misread_images_are_those_that_the_version_reads_so(
    client: httpx.AsyncClient, settings: Settings, shipped: Checkpoint
) -> None:
    # given: a network of random parameters
    checkpoint = retrained(shipped, 2)
    version = await add(client, checkpoint)
    test = mnist.load_test(settings.mnist_dir, settings.data_dir)
    assert test is not None
    predictor = Predictor(Classifier(checkpoint, version))
    probabilities = predictor.classifier.probabilities(test.images)
    read = probabilities.argmax(axis=1)
    wrong = int(np.flatnonzero(read != test.labels)[0])
    true, predicted = int(test.labels[wrong]), int(read[wrong])
    # when
    answer = (await client.get(f"/versions/{version}/misread?true={true}&predicted={predicted}")).json()
    # then
    found = np.flatnonzero((test.labels == true) & (read == predicted))
    assert (answer["images"], answer["count"]) == (np.count_nonzero(test.labels == true), len(found))
    items = answer["items"]
    assert len(items) == min(20, len(found))
    assert {item["index"] for item in items} <= set(found.tolist())
    assert [item["confidence"] for item in items] == sorted((item["confidence"] for item in items), reverse=True)
    index = items[0]["index"]
    png = base64.b64decode(items[0]["image"].partition(",")[2])
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png))), test.images[index])
    why = [predictor.explain(test.images[index], digit).contributions for digit in (predicted, true)]
    np.testing.assert_allclose(items[0]["contributions"], why[0] - why[1], atol=5.1e-4)


async def test_no_more_than_twenty_are_shown(client: httpx.AsyncClient) -> None:
    version = await add(client, make_checkpoint(parameters_that_read(3)))
    answer = (await client.get(f"/versions/{version}/misread?true=4&predicted=3")).json()
    assert answer["count"] == answer["images"] > len(answer["items"]) == 20


async def test_question_that_has_no_answer_is_told_why(client: httpx.AsyncClient) -> None:
    for query, status in (("true=4", 422), ("true=10&predicted=0", 422), ("true=4&predicted=-1", 422)):
        assert (await client.get(f"/versions/1/misread?{query}")).status_code == status
    assert (await client.get("/versions/99/misread?true=4&predicted=9")).status_code == 404
    version = await add(client, make_checkpoint_of(ANIMALS))
    answer = await client.get(f"/versions/{version}/misread?true=4&predicted=9")
    assert answer.status_code == 503
    assert "animals" in answer.json()["detail"]


async def test_server_without_test_images_says_so(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    async with connect(settings.model_copy(update={"mnist_dir": tmp_path / "empty"})) as client:
        answer = await client.get("/versions/1/misread?true=4&predicted=9")
    assert answer.status_code == 503
    assert "INKLING_MNIST_DIR" in answer.json()["detail"]
