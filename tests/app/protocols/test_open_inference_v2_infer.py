"""Inference in the Open Inference Protocol, version 2: every form of a request, and every mistake in one."""

import base64
import gzip
import json
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from app.settings import Settings
from inkling.digit import Floats, Gray
from inkling.network.classifier import Classifier
from tests.app.protocols.test_open_inference_v2 import INFER, RAW, refused
from tests.support.bodies import image_file
from tests.support.digits import make_digits
from tests.support.services import connect

pytestmark = pytest.mark.anyio

FILES = "/v2/models/mnist-files/infer"
DTYPES = {"UINT8": "<u1", "INT32": "<i4", "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8"}
IMAGES = make_digits(6, seed=11)[0]


@pytest.fixture(scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory, small_mnist_dir: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of one application for all of these tests, which change nothing in it."""
    data_dir = tmp_path_factory.mktemp("infer")
    async with connect(Settings(data_dir=data_dir, mnist_dir=small_mnist_dir, trainer="external")) as client:
        yield client


@pytest.fixture(scope="module")
def scores(classifier: Classifier) -> Floats:
    """The probabilities (6, 10) of IMAGES."""
    return classifier.probabilities(IMAGES)


def pixels(datatype: str, images: Gray = IMAGES) -> NDArray[Any]:
    """Return images as numbers of a datatype, in its scale."""
    return (images / 255 if datatype.startswith("FP") else images).astype(DTYPES[datatype])


def tensor(datatype: str = "UINT8", images: Gray = IMAGES, **changes: Any) -> dict[str, Any]:
    shape = [len(images), 784]
    data = pixels(datatype, images).reshape(-1).tolist()
    return {"name": "images", "datatype": datatype, "shape": shape, "data": data, **changes}


def document(*tensors: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"inputs": list(tensors) or [tensor()], **fields}


def binary(
    raw: bytes, datatype: str = "UINT8", shape: list[int] | None = None, **fields: Any
) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers of a request with a binary tensor."""
    described = {
        "name": "images",
        "datatype": datatype,
        "shape": [len(IMAGES), 784] if shape is None else shape,
        "parameters": {"binary_data_size": len(raw)},
    }
    head = json.dumps({"inputs": [described], **fields}).encode()
    return head + raw, {"Inference-Header-Content-Length": str(len(head))}


def read_json(response: httpx.Response) -> dict[str, NDArray[Any]]:
    """Return the outputs of an answer in JSON."""
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == "application/json"
    return {
        output["name"]: np.array(output["data"], DTYPES.get(output["datatype"], "U")).reshape(output["shape"])
        for output in response.json()["outputs"]
    }


def read_binary(response: httpx.Response) -> dict[str, NDArray[Any]]:
    """Return the outputs of an answer whose tensors are all binary numbers."""
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == "application/octet-stream"
    start = int(response.headers["Inference-Header-Content-Length"])
    found = {}
    for output in json.loads(response.content[:start])["outputs"]:
        end = start + output["parameters"]["binary_data_size"]
        raw = response.content[start:end]
        found[output["name"]] = np.frombuffer(raw, DTYPES[output["datatype"]]).reshape(output["shape"])
        start = end
    assert start == len(response.content)
    return found


def check(outputs: dict[str, NDArray[Any]], scores: Floats) -> None:
    assert list(outputs) == ["scores", "digits"]
    assert np.array_equal(outputs["scores"].astype(np.float32), scores)
    assert outputs["digits"].tolist() == scores.argmax(axis=1).tolist()


@pytest.mark.parametrize("datatype", DTYPES)
@pytest.mark.parametrize("shape", [(784,), (28, 28), (28, 28, 1), (1, 28, 28)])
async def test_every_type_and_shape_gives_the_same_bits(
    client: httpx.AsyncClient, scores: Floats, datatype: str, shape: tuple[int, ...]
) -> None:
    full = [len(IMAGES), *shape]
    body, headers = binary(pixels(datatype).tobytes(), datatype, full)
    check(read_json(await client.post(INFER, content=body, headers=headers)), scores)
    if datatype == "FP16":
        refused(await client.post(INFER, json=document(tensor(datatype))), 400, "JSON has no FP16")
        return
    for data in (pixels(datatype).reshape(-1), pixels(datatype).reshape(full)):
        request = document(tensor(datatype, shape=full, data=data.tolist()))
        check(read_json(await client.post(INFER, json=request)), scores)


async def test_answer_has_the_fields_of_the_protocol(client: httpx.AsyncClient) -> None:
    answer = (await client.post(INFER, json=document(id="r1"))).json()
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("mnist", "1", "r1")
    assert answer.keys() == {"model_name", "model_version", "id", "outputs"}
    assert [(output["name"], output["datatype"], output["shape"]) for output in answer["outputs"]] == [
        ("scores", "FP32", [6, 10]),
        ("digits", "INT64", [6]),
    ]
    for request in (document(), document(id=None)):
        response = await client.post(INFER, json=request, headers={"X-Request-ID": "mine"})
        assert response.json()["id"] == "mine"
    assert (await client.post(INFER, json=document(id=""))).json()["id"] == ""


async def test_outputs_come_as_asked(client: httpx.AsyncClient, scores: Floats) -> None:
    asked = [{"name": "digits"}, {"name": "scores", "parameters": {"binary_data": True, "unknown": 1}}]
    response = await client.post(INFER, json=document(outputs=asked, parameters={"priority": 3}, timeout=5))
    size = int(response.headers["Inference-Header-Content-Length"])
    digits, scored = json.loads(response.content[:size])["outputs"]
    assert digits["data"] == scores.argmax(axis=1).tolist()
    assert scored == {
        "name": "scores",
        "datatype": "FP32",
        "shape": [6, 10],
        "parameters": {"binary_data_size": 240},
    }
    assert response.content[size:] == scores.tobytes()
    check(read_json(await client.post(INFER, json=document(outputs=[]))), scores)
    all_binary = document(parameters={"binary_data_output": True})
    check(read_binary(await client.post(INFER, json=all_binary)), scores)
    one_plain = {**all_binary, "outputs": [{"name": "digits", "parameters": {"binary_data": False}}]}
    assert read_json(await client.post(INFER, json=one_plain)).keys() == {"digits"}


async def test_classification_names_the_best_classes(client: httpx.AsyncClient, scores: Floats) -> None:
    def request(count: int, **parameters: Any) -> dict[str, Any]:
        return document(outputs=[{"name": "scores", "parameters": {"classification": count, **parameters}}])

    best = (await client.post(INFER, json=request(2))).json()["outputs"][0]
    assert (best["datatype"], best["shape"]) == ("BYTES", [6, 2])
    digit = int(scores[0].argmax())
    assert best["data"][0] == f"{scores[0, digit]:f}:{digit}:{digit}"
    assert float(best["data"][0].split(":")[0]) >= float(best["data"][1].split(":")[0])
    assert (await client.post(INFER, json=request(0))).json()["outputs"][0]["datatype"] == "FP32"
    all_classes = (await client.post(INFER, json=request(50))).json()["outputs"][0]
    assert all_classes["shape"] == [6, 10]
    response = await client.post(INFER, json=request(1, binary_data=True))
    text = best["data"][0].encode()
    start = int(response.headers["Inference-Header-Content-Length"])
    assert response.content[start:].startswith(len(text).to_bytes(4, "little") + text)


@pytest.mark.parametrize("encode", [gzip.compress, zlib.compress], ids=["gzip", "deflate"])
async def test_compressed_bodies_are_read_and_cut_ones_refused(
    client: httpx.AsyncClient, scores: Floats, encode: Any
) -> None:
    coding = {"Content-Encoding": "gzip" if encode is gzip.compress else "deflate"}
    body, headers = binary(IMAGES.tobytes())
    check(read_json(await client.post(INFER, content=encode(body), headers={**headers, **coding})), scores)
    check(read_json(await client.post(INFER, content=encode(json.dumps(document()).encode()), headers=coding)), scores)
    for cut in (encode(body)[:-5], encode(body)[:20]):
        refused(await client.post(INFER, content=cut, headers={**headers, **coding}), 400, "it is incomplete")
    refused(await client.post(INFER, content=b"plain", headers=coding), 400, "as its Content-Encoding says")


async def test_inflated_size_is_limited(settings: Settings) -> None:
    async with connect(settings.model_copy(update={"max_body_bytes": 4096})) as client:
        response = await client.post(INFER, content=gzip.compress(bytes(5000)), headers={"Content-Encoding": "gzip"})
    refused(response, 413, "decoded, more than 4096")


async def test_body_of_pixels_alone_is_answered_binary(client: httpx.AsyncClient, scores: Floats) -> None:
    check(read_binary(await client.post(INFER, content=IMAGES.tobytes(), headers=RAW)), scores)
    refused(await client.post(INFER, content=bytes(785), headers=RAW), 400, "785 bytes, expected 784")
    refused(await client.post(INFER, content=b"", headers=RAW), 400, "it holds no image")


async def test_large_requests_give_the_same_bits(client: httpx.AsyncClient, scores: Floats) -> None:
    many = np.tile(IMAGES, (30, 1, 1))
    expected = np.tile(scores, (30, 1))
    body, headers = binary(many.tobytes(), shape=[180, 784], parameters={"binary_data_output": True})
    check(read_binary(await client.post(INFER, content=body, headers=headers)), expected)
    for datatype in ("UINT8", "FP32"):
        check(read_json(await client.post(INFER, json=document(tensor(datatype, many)))), expected)


async def test_unlike_images_are_answered_with_a_warning(client: httpx.AsyncClient) -> None:
    images = np.stack([IMAGES[0], 255 - IMAGES[1]])
    answer = (await client.post(INFER, json=document(tensor(images=images)))).json()
    assert answer["parameters"]["warnings"].startswith("image 2: ")
    inverted = np.tile(255 - IMAGES, (5, 1, 1))
    answer = (await client.post(INFER, json=document(tensor(images=inverted)))).json()
    assert answer["parameters"]["warnings"].endswith("; and 10 more images")


def files(*images: Gray, file_format: str = "PNG") -> list[bytes]:
    return [image_file(image, file_format) for image in images]


def files_document(contents: list[bytes], **changes: Any) -> dict[str, Any]:
    texts = [base64.b64encode(content).decode() for content in contents]
    return {"inputs": [{"name": "images", "datatype": "BYTES", "shape": [len(texts)], "data": texts, **changes}]}


@pytest.mark.parametrize("file_format", ["PNG", "BMP", "GIF"])
async def test_image_files_give_the_same_bits(client: httpx.AsyncClient, scores: Floats, file_format: str) -> None:
    contents = files(*IMAGES, file_format=file_format)
    check(read_json(await client.post(FILES, json=files_document(contents))), scores)
    nested = [[text] for text in files_document(contents)["inputs"][0]["data"]]
    check(read_json(await client.post(FILES, json=files_document(contents, shape=[6, 1], data=nested))), scores)
    packed = b"".join(len(content).to_bytes(4, "little") + content for content in contents)
    body, headers = binary(packed, "BYTES", [6])
    check(read_json(await client.post(FILES, content=body, headers=headers)), scores)
    check(read_binary(await client.post(FILES, content=packed, headers=RAW)), scores)
    check(read_binary(await client.post(FILES, content=contents[0], headers=RAW)), scores[:1])


async def test_pictures_of_any_size_are_normalized_by_a_parameter(client: httpx.AsyncClient) -> None:
    large = np.kron(255 - IMAGES[3], np.ones((6, 6), np.uint8))
    contents = files(large)
    normalized = await client.post("/predict?fit=mnist", content=contents[0], headers={"Content-Type": "image/png"})
    expected = normalized.json()["predictions"][0]["probabilities"]
    answer = await client.post(FILES, json={**files_document(contents), "parameters": {"fit": "mnist"}})
    assert read_json(answer)["scores"].tolist() == [np.array(expected, np.float32).tolist()]
    refused(await client.post(FILES, json=files_document(contents)), 400, "168x168 pixels, expected 28x28")
    nothing = {**files_document(files(np.zeros((99, 99), np.uint8))), "parameters": {"fit": "mnist"}}
    refused(await client.post(FILES, json=nothing), 400, "image 1: ")


BAD = 400
WRONG: list[tuple[Any, str]] = [
    (None, "the body is no object"),
    ([], "the body is no object"),
    ({}, "inputs is missing"),
    ({"inputs": []}, "0 inputs, model 'mnist' has one: 'images'"),
    ({"inputs": {}}, "inputs is an object"),
    ({"inputs": [7]}, "inputs is a list"),
    (document(tensor(), tensor()), "2 inputs"),
    (document(tensor(name="x")), "unexpected inference input 'x' for model 'mnist'; it has 'images'"),
    (document(tensor(name=None)), "unexpected inference input 'None'"),
    (document(tensor(shape=["6", 784])), "shape of 'images' is ['6', 784], expected a list of whole numbers"),
    (document(tensor(shape=[6.0, 784])), "shape of 'images' is [6.0, 784]"),
    (document(tensor(shape=[-1, 784])), "shape of 'images' is [-1, 784]"),
    (document(tensor(shape=[True, 784])), "shape of 'images' is [True, 784]"),
    (document(tensor(shape=None)), "shape of 'images' is None"),
    (document(tensor(shape=[6, 783])), "expected [n, 784]"),
    (document(tensor(shape=[784])), "expected [n, 784]"),
    (document(tensor(shape=[])), "expected [n, 784]"),
    (document(tensor(shape=[0, 784], data=[])), "it holds no image"),
    (document(tensor(shape=[7, 784])), "4704 numbers, shape [7, 784] has 5488"),
    (document(tensor(shape=[2**62, 784])), "4704 numbers"),
    (document(tensor(shape=[10**4000, 784]), x=float("nan")), "expected a list of whole numbers of 64 bits"),
    (document(id="\ud800", x=float("nan")), "one half of a surrogate pair"),
    (document({**tensor(), "datatype": "BYTES"}), "send image files to the model mnist-files"),
    (document({**tensor(), "datatype": "uint8"}), "datatype is 'uint8', expected one of UINT8, INT32"),
    (document({**tensor(), "datatype": ["UINT8"]}), "datatype is"),
    (document(tensor(data=["0"] * 4704)), "holds text, expected numbers"),
    (document(tensor(data=[True] * 4704)), "holds true or false"),
    (document(tensor(data=[None] * 4704)), "holds null"),
    (document(tensor(data=[{}] * 4704)), "holds objects"),
    (document(tensor(data=[256] * 4704)), "from 256 to 256, expected integers from 0 to 255"),
    (document(tensor(data=[-1] * 4704)), "from -1 to -1"),
    (document(tensor(data=[10**30] * 4704)), "from 1e+30 to 1e+30"),
    (document(tensor(data=[0.5] * 4704)), "send FP32 for numbers from 0 to 1"),
    (document(tensor("FP32", data=[255] * 4704)), "divide by 255, or send UINT8"),
    (document(tensor("FP32", data=[float("nan")] * 4704)), "divide by 255, or send UINT8"),
    (document(tensor("FP32", data=[float("inf")] * 4704)), "divide by 255, or send UINT8"),
    (document(tensor(data="x")), "is text, expected nested lists"),
    (document(tensor(data=None)), "is missing, expected nested lists"),
    (document(tensor(parameters=7)), "parameters of input 'images' is the number 7"),
    (document(tensor(parameters={"binary_data_size": 4704})), "both data and binary_data_size"),
    (document(tensor(data=None, parameters={"binary_data_size": 4704})), "4704, and 0 bytes come after the JSON"),
    (document(tensor(parameters={"shared_memory_region": "r"})), "input 'images' is in shared memory"),
    (document(parameters=[]), "parameters of the request is a list"),
    (document(parameters={"fit": "mnist"}), "send them to the model 'mnist-files'"),
    (document(parameters={"fit": "other"}), "fit is 'other', expected strict or mnist"),
    (document(id=7), "id is the number 7, expected text"),
    (document(id={}), "id is an object, expected text"),
    (document(outputs={}), "outputs is an object"),
    (document(outputs=["scores"]), "outputs is a list"),
    (document(outputs=[{"name": "x"}]), "unexpected inference output 'x'; there are 'scores' and 'digits'"),
    (document(outputs=[{"name": "scores"}, {"name": "scores"}]), "output 'scores' is asked for twice"),
    (document(outputs=[{"name": "digits", "parameters": {"shared_memory_region": "r"}}]), "is in shared memory"),
    (document(outputs=[{"name": "scores", "parameters": {"classification": -1}}]), "classification is the number -1"),
    (document(outputs=[{"name": "scores", "parameters": {"classification": True}}]), "classification is true"),
    (document(outputs=[{"name": "scores", "parameters": {"classification": "2"}}]), "the text '2'"),
    (document(outputs=[{"name": "digits", "parameters": {"classification": 2}}]), "output 'digits' has no classes"),
]


async def test_every_mistake_is_refused_in_words(client: httpx.AsyncClient) -> None:
    for request, words in WRONG:
        refused(await client.post(INFER, content=json.dumps(request).encode()), BAD, words)


WRONG_FILES: list[tuple[Any, str]] = [
    (document(), "datatype is 'UINT8', expected BYTES"),
    (files_document([b"x"], shape=[2]), "1 elements, shape [2] has 2"),
    (files_document([b"x"], shape=[1, 2]), "expected [n] with n at least 1"),
    (files_document([], shape=[0]), "expected [n] with n at least 1"),
    (files_document([b"x"], shape=[]), "expected [n] with n at least 1"),
    (files_document([b"x"], data="x"), "data of 'images' is the text 'x'"),
    (files_document([b"x"], data=[7]), "element 1 of 'images' is the number 7"),
    (files_document([b"x"], data=["*"]), "element 1 of 'images' is not in Base64"),
    (files_document([b"x"], data=["é"]), "element 1 of 'images' is not in Base64"),
    (files_document([b"no image at all"]), "is not an image"),
    (files_document([b""]), "image 1 of 1"),
]


async def test_every_mistake_about_files_is_refused_in_words(client: httpx.AsyncClient) -> None:
    for request, words in WRONG_FILES:
        refused(await client.post(FILES, content=json.dumps(request).encode()), BAD, words)
    refused(await client.post(FILES, content=b"", headers=RAW), BAD, "the body is empty")


async def test_every_mistake_about_binary_tensors_is_refused_in_words(client: httpx.AsyncClient) -> None:
    raw = IMAGES.tobytes()
    body, headers = binary(raw)
    for length in ("-1", "x", "1.5", "٣", str(len(body) + 1), "9" * 400):
        changed = [(b"Inference-Header-Content-Length", length.encode())]
        refused(await client.post(INFER, content=body, headers=changed), BAD, "Inference-Header-Content-Length is")
    refused(await client.post(INFER, content=body + b"x", headers=headers), BAD, "and 4705 bytes come after the JSON")
    refused(await client.post(INFER, content=body[:-1], headers=headers), BAD, "and 4703 bytes come after the JSON")
    body, headers = binary(raw, shape=[5, 784])
    refused(await client.post(INFER, content=body, headers=headers), BAD, "4704 bytes, expected 3920")
    body, headers = binary(raw, "FP32")
    refused(await client.post(INFER, content=body, headers=headers), BAD, "4704 bytes, expected 18816")
    body, headers = binary(np.full((6, 784), np.nan, "<f4").tobytes(), "FP32")
    refused(await client.post(INFER, content=body, headers=headers), BAD, "from nan to nan")
    head = json.dumps(document()).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    response = await client.post(INFER, content=head + b"x", headers=headers)
    refused(response, BAD, "1 bytes come after the JSON, and no input has binary_data_size")
    body, headers = binary(b"\x05\x00\x00\x00abc", "BYTES", [1])
    refused(await client.post(FILES, content=body, headers=headers), BAD, "should have 5 bytes, and 3 are left")
    body, headers = binary(b"\x05\x00", "BYTES", [1])
    refused(await client.post(FILES, content=body, headers=headers), BAD, "are left")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[" * 50_000, "not JSON"),
        (b'{"a":' * 50_000, "not JSON"),
        ("{}".encode("utf-16"), "UTF-16"),
        (b'{"id":"\xff"}', "not JSON"),
        (b'{"id":"\\ud800","inputs":7}', "not JSON"),
        (b'{"NaN":"\\ud800","inputs":"\\ud800"}', "one half of a surrogate pair"),
        (b"\x89PNG\r\n\x1a\n", "not JSON but a PNG"),
    ],
)
async def test_what_is_no_json_is_refused(client: httpx.AsyncClient, body: bytes, words: str) -> None:
    refused(await client.post(INFER, content=body), BAD, words)
