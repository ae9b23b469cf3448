import base64
import gzip
import json
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from inkling.digit import Gray
from inkling.network.checkpoint import Checkpoint
from inkling.registry.registry import Registry
from tests.support.bodies import RAW, image_file
from tests.support.services import publish, retrained

pytestmark = pytest.mark.anyio

MODEL = "/v1/models/mnist"
PREDICT = f"{MODEL}:predict"
ERROR = {"error_code": "OK", "error_message": ""}


def b64(image: Gray) -> str:
    return base64.b64encode(image_file(image)).decode()


async def post(client: httpx.AsyncClient, path: str, document: Any) -> httpx.Response:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return await client.post(path, content=body)


async def scores(client: httpx.AsyncClient, images: Gray) -> list[list[float]]:
    """Return the probabilities of /predict."""
    response = await client.post("/predict", content=images.tobytes(), headers={"Content-Type": RAW})
    return [prediction["probabilities"] for prediction in response.json()["predictions"]]


ROWS: dict[str, Callable[[Gray], Any]] = {
    "levels (n, 784)": lambda images: images.reshape(-1, 784).tolist(),
    "levels (n, 28, 28)": lambda images: images.tolist(),
    "floats (n, 28, 28, 1)": lambda images: (images[..., np.newaxis] / 255).tolist(),
    "floats (n, 1, 28, 28)": lambda images: (images[:, np.newaxis] / 255).tolist(),
    "single precision": lambda images: (images.astype(np.float32) / 255).tolist(),
    "objects of pixels": lambda images: [{"images": image.tolist()} for image in images],
    "files": lambda images: [{"b64": b64(image)} for image in images],
    "Base64 by itself": lambda images: [b64(image) for image in images],
    "data URIs": lambda images: [f"data:image/png;base64,{b64(image)}" for image in images],
    "KServe's sample": lambda images: [{"image": {"b64": b64(image)}} for image in images],
    "TorchServe's sample": lambda images: [{"data": b64(image), "target": 0} for image in images],
}


@pytest.mark.parametrize("kind", ROWS)
async def test_images_in_rows_and_in_columns_get_the_scores_of_predict(
    client: httpx.AsyncClient, digits: Gray, kind: str
) -> None:
    images = ROWS[kind](digits)
    expected = await scores(client, digits)
    assert (await post(client, PREDICT, {"instances": images})).json() == {"predictions": expected}
    if kind.startswith(("objects", "KServe", "TorchServe")):
        return
    for inputs in (images, {"images": images}):
        answer = await post(client, PREDICT, {"signature_name": "predict_images", "inputs": inputs})
        assert answer.json() == {"outputs": expected}


async def test_large_bodies_get_the_scores_of_predict(client: httpx.AsyncClient, digits: Gray) -> None:
    many = np.concatenate([digits] * 6)  # (120, 28, 28)
    expected = await scores(client, many)
    for document, key in (
        ({"instances": (many / 255).tolist()}, "predictions"),
        ({"signature_name": "serving_default", "inputs": {"images": many.tolist()}}, "outputs"),
        ({"instances": [{"image": image.tolist()} for image in many]}, "predictions"),
        ({"instances": [{"b64": b64(image)} for image in many]}, "predictions"),
    ):
        assert (await post(client, PREDICT, document)).json() == {key: expected}


async def test_one_file_is_a_column_of_one(client: httpx.AsyncClient, digits: Gray) -> None:
    document = {"signature_name": "serving_files", "inputs": {"b64": b64(digits[3])}}
    assert (await post(client, PREDICT, document)).json() == {"outputs": await scores(client, digits[3:4])}


async def test_pictures_of_any_size_are_normalized_on_demand(client: httpx.AsyncClient, digits: Gray) -> None:
    instances = [{"b64": b64(np.kron(255 - digits[3], np.ones((9, 9), np.uint8)))}]
    refused = await post(client, PREDICT, {"instances": instances})
    assert (refused.status_code, refused.json()["error"].partition(";")[0]) == (
        400,
        "image 1 of 1 is 252x252 pixels, expected 28x28",
    )
    answer = await post(client, PREDICT, {"instances": instances, "parameters": {"fit": "mnist"}})
    assert np.argmax(answer.json()["predictions"][0]) == 3
    wrong = await post(client, PREDICT, {"instances": instances, "parameters": {"fit": "best"}})
    assert (wrong.status_code, wrong.json()) == (400, {"error": 'fit is "best", expected strict or mnist'})


async def test_header_and_path_may_have_any_form(client: httpx.AsyncClient, digits: Gray) -> None:
    body = json.dumps({"instances": digits[:1].tolist()}).encode()
    expected = {"predictions": await scores(client, digits[:1])}
    for path in ("/V1/MODELS/mnist:PREDICT", "/v1/models/%6Dnist:predict", f"{MODEL}/labels/stable:predict"):
        for headers in ({}, {"Content-Type": "application/x-www-form-urlencoded"}, {"Content-Type": "image/png"}):
            response = await client.post(path, content=body, headers=headers)
            assert response.json() == expected
            assert response.headers["Content-Type"] == "application/json"
    packed = await client.post(PREDICT, content=gzip.compress(body), headers={"Content-Encoding": "gzip"})
    assert packed.json() == expected
    for more in (b" and more", b"{}", b"\n"):
        assert (await post(client, PREDICT, body + more)).json() == expected


WRONG_BODIES = [
    (b"", "JSON Parse error: The document is empty"),
    (b"instances = [1, 2]", "JSON Parse error: Invalid value"),
    (b'{"instances": [1', "JSON Parse error: Invalid value"),
    (b'{"instances": ' + b"[" * 100_000, "JSON Parse error: Invalid value"),
    ('{"instances": [1]}'.encode("utf-16"), "JSON Parse error: Invalid value"),
    (b"[1]", "JSON Value: [...] Is not object"),
    (b"null", "JSON Value: None Is not object"),
    ({"signature_name": 100}, "'signature_name' key must be a string value."),
    ({"signature_name": 100, "instances": [1], "inputs": [1]}, "'signature_name' key must be a string value."),
    ({"signature_name": "zz"}, "Missing 'inputs' or 'instances' key"),
    ({"instances": [1], "inputs": [1], "signature_name": "zz"}, "only one of 'inputs' or 'instances' keys to exist"),
    ({"signature_name": "zz", "instances": ["x"]}, 'Serving signature name: "zz" not found in signature def'),
    ({"instances": 1}, "Expecting 'instances' to be an list/array, not 1"),
    ({"instances": {"images": [1]}}, "Expecting 'instances' to be an list/array, not {...}"),
    ({"instances": []}, "No values in 'instances' array"),
    ({"instances": ["x", "y"]}, "not of expected type: float"),
    ({"instances": [{"b64": "x"}]}, "not of expected type: float"),
    ({"instances": [{"b64": "\ud800"}]}, "JSON Parse error: Invalid value. the body is not JSON in Unicode"),
    ({"instances": ["\udc00"], "signature_name": "\ud800"}, "the body is not JSON in Unicode"),
    ({"instances": [True]}, "`images` holds true or false, expected numbers"),
    ({"instances": [[None] * 784]}, "`images` holds null, expected numbers"),
    ({"instances": [["0"] * 784]}, "`images` holds text, expected numbers"),
    ({"instances": [1, 2]}, "`images` has shape [2], expected [n, 784]"),
    ({"instances": [[0] * 783]}, "`images` has shape [1, 783], expected [n, 784]"),
    ({"instances": [[0] * 784, [0] * 783]}, "`images` is ragged"),
    ({"instances": [[256] * 784]}, "`images` holds numbers from 256 to 256, expected integers from 0 to 255"),
    ({"instances": [[-1] * 784]}, "`images` holds numbers from -1 to -1"),
    ({"instances": [[10**30] * 784]}, "divide by 255, or send UINT8"),
    ({"instances": [[255.0] * 784]}, "divide by 255, or send UINT8"),
    ({"instances": [[float("nan")] * 784]}, "divide by 255, or send UINT8"),
    ({"instances": [[float("inf")] * 784]}, "divide by 255, or send UINT8"),
    (
        {"instances": [{"pixels": [0] * 784}]},
        "Failed to process element: 0 of 'instances' list. JSON object: {...} keys",
    ),
    ({"instances": [{"images": [0] * 784}, {}]}, "Failed to process element: 1 of 'instances' list"),
    ({"instances": [{"images": [0] * 784, "data": [0]}]}, "keys must be equal to: images, found: images, data"),
    ({"instances": [{"b64": "aGVsbG8="}]}, "is not an image"),
    ({"instances": [{"b64": "aGVsbG8="}, [0] * 784]}, "JSON Value: [...] not formatted correctly for base64 data"),
    ({"inputs": {"zz": [0] * 784}}, "Missing named input: images in 'inputs' object."),
    ({"inputs": 7}, "`images` is a number, expected nested lists of numbers"),
    ({"inputs": []}, "`images` has shape [0], expected [n, 784]"),
    ({"signature_name": "serving_files", "instances": [[0] * 784]}, "is not of expected type: string"),
]


@pytest.mark.parametrize(("document", "words"), WRONG_BODIES)
async def test_wrong_bodies_are_refused_in_the_words_of_tensorflow_serving(
    client: httpx.AsyncClient, document: Any, words: str
) -> None:
    response = await post(client, PREDICT, document)
    assert (response.status_code, list(response.json())) == (400, ["error"])
    assert words in response.json()["error"]
    assert response.headers["Content-Type"] == "application/json"


WRONG_CALLS = [
    ("POST", "/v1/models/foo:predict", 404, "Servable not found for request: Latest(foo)"),
    ("POST", "/v1/models/foo/versions/50:predict", 404, "Servable not found for request: Specific(foo, 50)"),
    ("POST", f"{MODEL}/versions/50:predict", 404, "Servable not found for request: Specific(mnist, 50)"),
    ("GET", f"{MODEL}/versions/50", 404, "Servable not found for request: Specific(mnist, 50)"),
    ("GET", "/v1/models/foo/metadata", 404, "Servable not found for request: Latest(foo)"),
    ("POST", f"{MODEL}/labels/canary:predict", 400, "Unrecognized servable version label: canary"),
    ("POST", f"{MODEL}/versions/{2**64 - 1}:predict", 400, "Failed to convert version"),
    ("POST", f"{MODEL}/versions/{'9' * 5000}:predict", 400, "Failed to convert version"),
    ("POST", f"{MODEL}/versions/HELLO:predict", 400, "Malformed request: POST /v1/models/mnist/versions/HELLO:predict"),
    ("POST", f"{MODEL}/versions/1/labels/stable:predict", 400, "Malformed request: POST"),
    ("POST", f"{MODEL}/version/1:predict", 400, "Malformed request: POST"),
    ("POST", f"{MODEL}/metadata", 400, "Malformed request: POST"),
    ("POST", "/v1/models", 400, "Malformed request: POST /v1/models"),
    ("POST", f"{MODEL}:guess", 400, "Malformed request: POST"),
    ("GET", PREDICT, 400, "Malformed request: GET /v1/models/mnist:predict"),
    ("GET", "/v1/foo", 400, "Malformed request: GET /v1/foo"),
    ("DELETE", MODEL, 400, "Malformed request: DELETE /v1/models/mnist"),
    ("GET", "/v1/models/debug/model_name", 400, "Malformed request: GET"),
    ("POST", f"{MODEL}:classify", 501, "classify is not implemented"),
    ("POST", f"{MODEL}/versions/1:regress", 501, "regress is not implemented"),
    ("POST", f"{MODEL}:explain", 501, "explain is not implemented"),
]


@pytest.mark.parametrize(("method", "path", "status", "words"), WRONG_CALLS)
async def test_wrong_calls_are_refused_in_the_words_of_tensorflow_serving(
    client: httpx.AsyncClient, method: str, path: str, status: int, words: str
) -> None:
    body = b'{"instances": ["x"]}' if method == "POST" else None
    response = await client.request(method, path, content=body)
    assert (response.status_code, list(response.json())) == (status, ["error"])
    assert words in response.json()["error"]


@pytest.fixture
async def second(client: httpx.AsyncClient, registry: Registry, shipped: Checkpoint) -> int:
    """A second version, which is not served."""
    return publish(registry, retrained(shipped, 1), promoted=False)


async def test_version_in_the_path_answers(client: httpx.AsyncClient, digits: Gray, second: int) -> None:
    document = {"instances": digits[:3].tolist()}
    served = (await post(client, PREDICT, document)).json()
    other = (await post(client, f"{MODEL}/versions/{second}:predict", document)).json()
    assert other != served == (await post(client, f"{MODEL}/versions/1:predict", document)).json()
    assert served == (await post(client, f"{MODEL}/versions/0:predict", document)).json()  # as ovmsclient asks


async def test_status_names_the_available_versions(client: httpx.AsyncClient, second: int) -> None:
    versions = [{"version": number, "state": "AVAILABLE", "status": ERROR} for number in ("2", "1")]
    assert (await client.get(MODEL)).json() == {"model_version_status": versions, "name": "mnist", "ready": True}
    for path, expected in (("versions/2", "2"), ("versions/0", "1"), ("labels/stable", "1")):
        (found,) = (await client.get(f"{MODEL}/{path}")).json()["model_version_status"]
        assert found["version"] == expected


async def test_metadata_describe_the_signatures(client: httpx.AsyncClient) -> None:
    for path in (f"{MODEL}/metadata", f"{MODEL}/versions/0/metadata", f"{MODEL}/labels/stable/metadata"):
        document = (await client.get(path)).json()
        assert document["model_spec"] == {"name": "mnist", "signature_name": "", "version": "1"}
        signatures = document["metadata"]["signature_def"]["signature_def"]
        assert {name: signature["inputs"]["images"]["dtype"] for name, signature in signatures.items()} == {
            "serving_default": "DT_FLOAT",
            "predict_images": "DT_FLOAT",
            "serving_files": "DT_STRING",
        }
        sizes = signatures["serving_default"]["inputs"]["images"]["tensor_shape"]["dim"]
        assert sizes == [{"size": "-1", "name": ""}, {"size": "784", "name": ""}]


async def test_models_are_listed_as_kserve_does(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/models")).json() == {"models": ["mnist"]}
    assert (await client.head("/v1/models")).status_code == 200


async def test_requests_are_counted_by_template(client: httpx.AsyncClient, app: FastAPI, digits: Gray) -> None:
    await post(client, "/v1/models/mnist/versions/1:predict", {"instances": digits[:2].tolist()})
    await client.get("/v1/models/anything")
    await client.get("/v1/zzz")
    text = (await client.get("/metrics?format=prometheus")).text
    route = 'route="/v1/models/{model}/versions/{version}:predict"'
    assert f'inkling_requests_total{{method="POST",{route},status="200",protocol="tensorflow serving v1"}} 1.0' in text
    assert 'inkling_protocol_images_total{protocol="tensorflow serving v1"} 2.0' in text
    assert "anything" not in text
    assert "zzz" not in text
