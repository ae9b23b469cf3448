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
from inkling.network.pretrained import load_pretrained
from tests.support.networks import make_checkpoint_of
from tests.support.own_data import ANIMALS
from tests.support.services import connect, retrained

pytestmark = pytest.mark.anyio


def first_layer(checkpoint: Checkpoint, images: np.ndarray) -> np.ndarray:
    """Return the activations (n, 128) of images, as the tutorial defines them."""
    sums = images.reshape(-1, 784) / 255 @ checkpoint.parameters["weights/h1"] + checkpoint.parameters["biases/b1"]
    return np.asarray(1 / (1 + np.exp(-sums)))


async def test_unit_is_shown_with_the_images_that_excite_it_most(
    client: httpx.AsyncClient, settings: Settings, shipped: Checkpoint
) -> None:
    # given: the shipped version, and one of random parameters
    assert settings.mnist_dir is not None
    train = mnist.read_folder(settings.mnist_dir).train
    other = retrained(shipped, 2)
    added = (await client.post("/versions", content=other.content)).json()["version"]
    for version, checkpoint in ((1, shipped), (added, other), (1, shipped)):
        for unit in (0, 127):
            # when
            answer = (await client.get(f"/versions/{version}/units/1/{unit}")).json()
            # then
            activations = first_layer(checkpoint, train.images)[:, unit]
            items = answer["items"]
            assert answer["images"] == len(train)
            assert len(items) == len({item["index"] for item in items}) == 8
            np.testing.assert_allclose(
                [item["activation"] for item in items], np.sort(activations)[::-1][:8], rtol=0, atol=2e-6
            )
            for item in items:
                assert item["label"] == train.labels[item["index"]]
                png = base64.b64decode(item["image"].partition(",")[2])
                np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png))), train.images[item["index"]])


async def test_second_layer_has_256_units_and_the_first_128(client: httpx.AsyncClient) -> None:
    assert (await client.get("/versions/1/units/2/255")).status_code == 200
    for unit in ("1/128", "2/256", "0/0", "3/0", "1/-1", "1/x"):
        answer = await client.get(f"/versions/1/units/{unit}")
        assert answer.status_code == 422, unit
    assert "0 to 127" in (await client.get("/versions/1/units/1/128")).json()["detail"]


async def test_question_that_has_no_answer_is_told_why(client: httpx.AsyncClient) -> None:
    assert (await client.get("/versions/99/units/1/0")).status_code == 404
    version = (await client.post("/versions", content=make_checkpoint_of(ANIMALS).content)).json()["version"]
    answer = await client.get(f"/versions/{version}/units/1/0")
    assert answer.status_code == 503
    assert "animals" in answer.json()["detail"]


async def test_server_without_training_images_says_so(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    async with connect(settings.model_copy(update={"mnist_dir": tmp_path / "empty"})) as client:
        answer = await client.get("/versions/1/units/1/0")
    assert answer.status_code == 503
    assert answer.json()["title"] == "The training images cannot be read"
    assert "INKLING_MNIST_DIR" in answer.json()["detail"]


async def test_damaged_training_images_are_named_and_read_once_they_are_mended(
    settings: Settings, tmp_path: Path, small_mnist_dir: Path
) -> None:
    folder = tmp_path / "mended"
    folder.mkdir()
    for path in mnist.files_in(small_mnist_dir):
        (folder / path.name).write_bytes(path.read_bytes())
    damaged = next(path for path in folder.iterdir() if path.name.startswith("train-images"))
    content = damaged.read_bytes()
    damaged.write_bytes(content[: len(content) // 2])
    async with connect(settings.model_copy(update={"mnist_dir": folder})) as client:
        answer = await client.get("/versions/1/units/1/0")
        assert (answer.status_code, answer.json()["title"]) == (503, "The training images cannot be read")
        damaged.write_bytes(content)
        assert (await client.get("/versions/1/units/1/0")).status_code == 200


@pytest.mark.mnist
async def test_real_digits_excite_the_shipped_version_as_the_network_says(
    settings: Settings, real_mnist_dir: Path
) -> None:
    async with connect(settings.model_copy(update={"mnist_dir": real_mnist_dir})) as client:
        answer = (await client.get("/versions/1/units/1/5")).json()
    train = mnist.read_folder(real_mnist_dir).train
    activations = first_layer(load_pretrained(), train.images)[:, 5]
    assert answer["images"] == 60_000
    shown = [item["activation"] for item in answer["items"]]
    np.testing.assert_allclose(shown, np.sort(activations)[::-1][:8], rtol=0, atol=2e-6)
    assert [item["label"] for item in answer["items"]] == [train.labels[item["index"]] for item in answer["items"]]
