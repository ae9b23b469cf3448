import base64
import json
from typing import Any

import httpx
import numpy as np
import pytest

from app.bodies.labels_request import DEFAULT_LABELS, LabelsRequest, read_labels_request
from app.bodies.limits import UploadLimits
from inkling.digit import Gray
from tests.support.bodies import JSON, PNG, RAW, image_file

pytestmark = pytest.mark.anyio

LIMITS = UploadLimits(max_images=100, max_pixels=1_000_000)
PATHS = ("/labels", "/predict?as=labels")


def in_json(image: bytes, **fields: Any) -> bytes:
    return json.dumps({"inputs": base64.b64encode(image).decode(), **fields}).encode()


async def post(client: httpx.AsyncClient, path: str, body: bytes, content_type: str = JSON) -> httpx.Response:
    return await client.post(path, content=body, headers={"Content-Type": content_type})


@pytest.mark.parametrize("path", PATHS)
async def test_image_is_answered_by_labels_best_first(client: httpx.AsyncClient, digits: Gray, path: str) -> None:
    file = image_file(digits[3])
    predicted = (await post(client, "/predict", file, PNG)).json()["predictions"][0]["probabilities"]
    response = await post(client, path, file, PNG)
    labels = response.json()
    assert response.headers["Content-Type"] == JSON
    assert response.headers["X-Model-Version"] == "1"
    assert [label["score"] for label in labels] == sorted(predicted, reverse=True)[:DEFAULT_LABELS]
    assert [predicted[int(label["label"])] for label in labels] == [label["score"] for label in labels]
    assert labels[0]["label"] == "3"


async def test_number_of_labels_is_the_one_asked_for(client: httpx.AsyncClient, digits: Gray) -> None:
    file = image_file(digits[3])
    for asked, count in ((1, 1), (3, 3), (10, 10), (99, 10), (None, DEFAULT_LABELS)):
        body = in_json(file, parameters={"top_k": asked, "function_to_apply": "softmax"})
        assert len((await post(client, "/labels", body)).json()) == count


async def test_picture_of_any_size_is_normalized_first(client: httpx.AsyncClient, digits: Gray) -> None:
    picture = image_file(np.kron(255 - digits[3], np.ones((9, 9), np.uint8)))
    for body, content_type in ((picture, PNG), (in_json(picture), JSON)):
        refused = await post(client, "/labels", body, content_type)
        assert (refused.status_code, refused.json()["title"]) == (422, "Not an image of a digit")
        assert (await post(client, "/labels?fit=mnist", body, content_type)).json()[0]["label"] == "3"


async def test_arrays_that_predict_reads_are_labeled(client: httpx.AsyncClient, digits: Gray) -> None:
    assert (await post(client, "/labels", digits[4].tobytes(), RAW)).json()[0]["label"] == "4"
    images = json.dumps({"images": digits[4:5].tolist()}).encode()
    assert (await post(client, "/labels", images)).json()[0]["label"] == "4"


async def test_more_than_one_image_is_refused(client: httpx.AsyncClient, digits: Gray) -> None:
    for path in ("/labels", "/labels?fit=mnist"):
        response = await post(client, path, json.dumps({"images": digits[:2].tolist()}).encode())
        assert (response.status_code, response.json()["title"]) == (422, "Exactly one image expected")


async def test_image_without_a_digit_is_refused_on_demand(client: httpx.AsyncClient) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (28, 28), np.uint8)
    assert (await post(client, "/labels", image_file(noise), PNG)).status_code == 200
    response = await post(client, "/labels?none=refuse", image_file(noise), PNG)
    assert (response.status_code, response.json()["title"]) == (422, "No single digit in the picture")


async def test_returned_images_have_no_place_among_labels(client: httpx.AsyncClient, digits: Gray) -> None:
    path = "/predict?as=labels&fit=mnist&return_image=true"
    response = await post(client, path, image_file(digits[3]), PNG)
    assert response.status_code == 422
    assert "as=labels answers no image" in response.json()["detail"]


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [
        (b"", 400, "not JSON"),
        (b"{", 400, "not JSON"),
        (b"[1]", 400, 'expected {"inputs"'),
        (b"{}", 400, 'expected {"inputs"'),
        (b'{"inputs": 7}', 400, 'expected {"inputs"'),
        (b'{"inputs": ""}', 400, 'expected {"inputs"'),
        (b'{"inputs": "http://x.example/7.png"}', 422, "nothing is fetched"),
        (b'{"inputs": "a*b"}', 422, "is not Base64"),
        (b'{"inputs": "aGVsbG8="}', 422, "is not an image; PNG"),
        (b'{"input": "aGVsbG8="}', 422, "did you mean `inputs`?"),
        (b'{"inputs": "aGVsbG8=", "parameters": 3}', 422, "`parameters` must be an object"),
        (b'{"inputs": "aGVsbG8=", "parameters": {"topk": 3}}', 422, "did you mean `top_k`?"),
        (b'{"inputs": "aGVsbG8=", "parameters": {"top_k": 0}}', 422, "top_k is 0, expected"),
        (b'{"inputs": "aGVsbG8=", "parameters": {"top_k": true}}', 422, "top_k is True, expected"),
        (b'{"inputs": "aGVsbG8=", "parameters": {"function_to_apply": "none"}}', 422, "`softmax` only"),
        (b'{"inputs": "' + b"[" * 5000, 400, "not JSON"),
    ],
)
async def test_wrong_requests_are_refused_with_the_reason(
    client: httpx.AsyncClient, body: bytes, status: int, why: str
) -> None:
    response = await post(client, "/labels", body)
    assert response.status_code == status, response.text
    assert why in response.json()["detail"]


def test_base64_is_read_in_both_alphabets_with_and_without_padding() -> None:
    file = bytes(range(250, 256)) * 3 + b"\x00"
    plain = base64.b64encode(file).decode()
    for text in (plain, plain.rstrip("="), base64.urlsafe_b64encode(file).decode(), f"data:image/png;base64,{plain}"):
        request = read_labels_request(json.dumps({"inputs": text}).encode(), "application/json; charset=utf-8", LIMITS)
        assert request == LabelsRequest(file, PNG, DEFAULT_LABELS)
