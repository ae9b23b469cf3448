"""The same 50 pictures in every protocol and body type: all probabilities are equal, bit for bit."""

import base64
import io
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from app.settings import Settings
from inkling.digit import Floats
from tests.app.protocols.test_open_inference_v2 import INFER, RAW
from tests.app.protocols.test_open_inference_v2_infer import DTYPES, FILES, binary, files_document, tensor
from tests.support.bodies import JSON, MULTIPART, NPY, image_file, images_form, images_json, npy_file
from tests.support.bodies import RAW as RAW_TYPE
from tests.support.digits import make_digits
from tests.support.services import connect

pytestmark = pytest.mark.anyio

_NOISE = np.random.default_rng(7).integers(0, 120, (50, 28, 28))
IMAGES = np.clip(make_digits(50, seed=21)[0] + _NOISE, 0, 255).astype(np.uint8)
"""Noisy, so that the network is unsure of many, and reads them in views."""
UNIT = IMAGES / 255
CONTENTS = [image_file(image) for image in IMAGES]
TEXTS = [base64.b64encode(content).decode() for content in CONTENTS]

Send = tuple[str, bytes, dict[str, str]]
"""Path, body and headers of a request."""


def json_request(path: str, document: Any) -> Send:
    return path, json.dumps(document).encode(), {"Content-Type": JSON}


def binary_request(datatype: str) -> Send:
    numbers = (UNIT if datatype.startswith("FP") else IMAGES).astype(DTYPES[datatype])
    return INFER, *binary(numbers.tobytes(), datatype, [50, 784])


def predict_answer(response: httpx.Response) -> Any:
    if response.headers["Content-Type"] == NPY:
        return np.load(io.BytesIO(response.content))
    return [prediction["probabilities"] for prediction in response.json()["predictions"]]


def v2_answer(response: httpx.Response) -> Any:
    size = response.headers.get("Inference-Header-Content-Length")
    if size is None:
        return np.reshape(response.json()["outputs"][0]["data"], (50, 10))
    return np.frombuffer(response.content, "<f4", 500, offset=int(size)).reshape(50, 10)


def rows_answer(response: httpx.Response) -> Any:
    return response.json().get("predictions") or response.json()["outputs"]


V1 = "/v1/models/mnist:predict"
CASES: dict[str, tuple[Send, Callable[[httpx.Response], Any]]] = {
    "predict form": (("/predict", images_form(IMAGES), {"Content-Type": MULTIPART}), predict_answer),
    "predict json": (("/predict", images_json(IMAGES), {"Content-Type": JSON}), predict_answer),
    "predict npy": (("/predict", npy_file(IMAGES), {"Content-Type": NPY, "Accept": NPY}), predict_answer),
    **{f"v2 binary {datatype}": (binary_request(datatype), v2_answer) for datatype in DTYPES},
    **{
        f"v2 json {datatype}": (json_request(INFER, {"inputs": [tensor(datatype, IMAGES)]}), v2_answer)
        for datatype in DTYPES
        if datatype != "FP16"
    },
    "v2 version": (
        json_request("/v2/models/mnist/versions/1/infer", {"inputs": [tensor("UINT8", IMAGES)]}),
        v2_answer,
    ),
    "v2 pixels alone": ((INFER, IMAGES.tobytes(), RAW), v2_answer),
    "v2 files": (json_request(FILES, files_document(CONTENTS)), v2_answer),
    "v1 floats in rows": (json_request(V1, {"instances": UNIT.reshape(50, 28, 28, 1).tolist()}), rows_answer),
    "v1 integers in columns": (json_request(V1, {"inputs": {"images": IMAGES.tolist()}}), rows_answer),
    "v1 files": (json_request(V1, {"instances": [{"b64": text} for text in TEXTS]}), rows_answer),
    "v1 version": (
        json_request("/v1/models/mnist/versions/1:predict", {"instances": IMAGES.reshape(50, 784).tolist()}),
        rows_answer,
    ),
    "invocations": (json_request("/invocations", {"inputs": UNIT.reshape(50, 784).tolist()}), rows_answer),
}


@pytest.fixture(scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory, small_mnist_dir: Path) -> AsyncIterator[httpx.AsyncClient]:
    data_dir = tmp_path_factory.mktemp("parity")
    async with connect(Settings(data_dir=data_dir, mnist_dir=small_mnist_dir, trainer="external")) as client:
        yield client


@pytest.fixture(scope="module")
async def expected(client: httpx.AsyncClient) -> Floats:
    """The probabilities (50, 10) that /predict answers to raw pixels, one after another."""
    rows = []
    for image in IMAGES:
        response = await client.post("/predict", content=image.tobytes(), headers={"Content-Type": RAW_TYPE})
        rows += predict_answer(response)
    return np.array(rows, np.float32)


@pytest.mark.parametrize("name", CASES)
async def test_probabilities_are_equal_bit_for_bit(client: httpx.AsyncClient, expected: Floats, name: str) -> None:
    (path, body, headers), read = CASES[name]
    response = await client.post(path, content=body, headers=headers)
    assert response.status_code == 200, response.text[:300]
    found: NDArray[np.float32] = np.array(read(response), np.float32)
    assert np.array_equal(found, expected)


def test_pictures_are_read_in_views(expected: Floats) -> None:
    assert (expected.max(axis=1) < 0.9).sum() >= 5  # so that the parity holds for views, too
