import io
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from inkling import mnist
from inkling.digit import Gray
from inkling.network.attribution import explain
from inkling.network.classifier import Classifier
from inkling.plots.attribution import draw_heat_map
from tests.app.test_errors import check_problem
from tests.support.bodies import JSON, MULTIPART, NPY, PNG, RAW, form, image_file, images_form, images_json, npy_file
from tests.support.networks import MAX_SUM_ERROR

pytestmark = pytest.mark.anyio

Encode = Callable[[Gray], bytes]


async def ask(
    client: httpx.AsyncClient, body: bytes, content_type: str = RAW, query: str = "", accept: str = "*/*"
) -> httpx.Response:
    headers = {"Content-Type": content_type, "Accept": accept}
    return await client.post(f"/explain{query}", content=body, headers=headers)


@pytest.mark.parametrize(
    ("content_type", "encode"),
    [
        (MULTIPART, images_form),
        (JSON, images_json),
        (JSON, lambda images: images_json(images[0])),
        (JSON, lambda images: images_json(images.reshape(-1, 784))),
        (RAW, lambda images: images.tobytes()),
        (NPY, npy_file),
        (NPY, lambda images: npy_file(images[0])),
        (PNG, lambda images: image_file(images[0])),
        ("image/bmp", lambda images: image_file(images[0], "BMP")),
        ("image/gif", lambda images: image_file(images[0], "GIF")),
        ("image/webp", lambda images: image_file(images[0], "WEBP", lossless=True)),
    ],
)
async def test_every_type_of_predict_is_explained(
    client: httpx.AsyncClient, classifier: Classifier, digits: Gray, content_type: str, encode: Encode
) -> None:
    response = await ask(client, encode(digits[7:8]), content_type)
    assert response.status_code == 200, response.text
    answer, expected = response.json(), explain(classifier, digits[7], 7)
    assert (answer["version"], answer["digit"]) == (1, 7)
    assert (answer["logit"], answer["baseline_logit"]) == (expected.logit, expected.baseline_logit)
    np.testing.assert_array_equal(answer["contributions"], expected.contributions)


async def test_jpeg_is_explained_as_it_is_decoded(client: httpx.AsyncClient, digits: Gray) -> None:
    response = await ask(client, image_file(digits[7], "JPEG", quality=95), "image/jpeg")
    assert response.json()["digit"] == 7


async def test_any_picture_is_explained_as_the_network_sees_it(client: httpx.AsyncClient, digits: Gray) -> None:
    drawn = np.pad(255 - np.kron(digits[7], np.ones((4, 4), np.uint8)), 30, constant_values=255)
    answer = (await ask(client, image_file(drawn), PNG, query="?fit=mnist")).json()
    expected = (await ask(client, digits[7].tobytes())).json()
    assert answer["contributions"] == expected["contributions"]


@pytest.mark.parametrize(("count", "said"), [(2, "2 images"), (0, "is empty")])
async def test_fit_mnist_explains_one_picture_too(client: httpx.AsyncClient, count: int, said: str) -> None:
    response = await ask(client, bytes(count * 784), query="?fit=mnist")
    assert response.status_code in (400, 422)
    assert said in response.json()["detail"]


async def test_picture_without_a_digit_is_not_explained(client: httpx.AsyncClient) -> None:
    response = await ask(client, bytes(784), query="?fit=mnist")
    check_problem(response, 422)
    assert "image 1: the picture is blank" in response.json()["detail"]


async def test_prediction_is_that_of_predict(client: httpx.AsyncClient, digits: Gray) -> None:
    for digit in digits[:10]:
        answer = (await ask(client, digit.tobytes())).json()
        headers = {"Content-Type": RAW}
        (predicted,) = (await client.post("/predict", content=digit.tobytes(), headers=headers)).json()["predictions"]
        assert answer["prediction"] == predicted
        assert answer["digit"] == predicted["digit"]


@pytest.mark.parametrize("digit", range(10))
async def test_any_digit_is_explained_when_asked_for(
    client: httpx.AsyncClient, classifier: Classifier, digits: Gray, digit: int
) -> None:
    answer = (await ask(client, digits[7].tobytes(), query=f"?digit={digit}")).json()
    assert (answer["digit"], answer["prediction"]["digit"]) == (digit, 7)
    np.testing.assert_array_equal(answer["contributions"], explain(classifier, digits[7], digit).contributions)
    assert np.sum(answer["contributions"]) == pytest.approx(
        answer["logit"] - answer["baseline_logit"], abs=MAX_SUM_ERROR
    )


async def test_answer_names_the_version_and_its_timing(client: httpx.AsyncClient) -> None:
    for accept in (JSON, PNG):
        response = await ask(client, bytes(784), accept=accept)
        assert response.headers["content-type"] == accept
        assert response.headers["x-model-version"] == "1"
        assert response.headers["server-timing"].startswith("decode;dur=")
        assert ", model;dur=" in response.headers["server-timing"]
        assert response.headers["cache-control"] == "no-store"


async def test_same_image_gets_the_same_bytes(client: httpx.AsyncClient, digits: Gray) -> None:
    for accept in (JSON, PNG):
        first = await ask(client, digits[2].tobytes(), accept=accept)
        assert (await ask(client, digits[2].tobytes(), accept=accept)).content == first.content


@pytest.mark.parametrize(("query", "digit"), [("", 7), ("?digit=9", 9), ("?fit=strict", 7)])
async def test_heat_map_is_answered_when_asked_for(
    client: httpx.AsyncClient, classifier: Classifier, digits: Gray, query: str, digit: int
) -> None:
    response = await ask(client, digits[7].tobytes(), query=query, accept=f"{JSON};q=0.5, {PNG}")
    (probabilities,) = classifier.probabilities(digits[7:8])
    expected = draw_heat_map(digits[7], explain(classifier, digits[7], digit), probabilities)
    assert response.headers["content-type"] == PNG
    with Image.open(io.BytesIO(response.content)) as picture:
        assert picture.format == "PNG"
        np.testing.assert_array_equal(np.asarray(picture), np.asarray(expected))


@pytest.mark.parametrize(
    "accept", ["*/*", JSON, f"{PNG};q=0, {JSON}", f"{PNG};q=0.5, {JSON}", f"{PNG}, {JSON}", "text/html"]
)
async def test_heat_map_that_is_not_preferred_is_not_answered(client: httpx.AsyncClient, accept: str) -> None:
    response = await ask(client, bytes(784), accept=accept)
    assert response.headers["content-type"] == JSON


async def test_blank_image_is_explained_by_nothing(client: httpx.AsyncClient) -> None:
    answer = (await ask(client, bytes(784))).json()
    assert not np.any(answer["contributions"])
    assert answer["logit"] == pytest.approx(answer["baseline_logit"], rel=1e-12)
    assert (await ask(client, bytes(784), accept=PNG)).is_success


@pytest.mark.parametrize("count", [2, 20])
@pytest.mark.parametrize(("content_type", "encode"), [(MULTIPART, images_form), (JSON, images_json), (RAW, bytes)])
async def test_another_number_of_images_is_refused_with_the_count(
    client: httpx.AsyncClient, digits: Gray, content_type: str, encode: Encode, count: int
) -> None:
    response = await ask(client, encode(digits[:count]), content_type)
    body = check_problem(response, 422)
    assert body["detail"] == f"the body holds {count} images, expected 1; send them one by one"
    assert body["type"] == "/problems/exactly-one-image-expected"


@pytest.mark.parametrize("digit", ["10", "-1", "7.5", "seven", ""])
async def test_wrong_digit_is_refused_by_name(client: httpx.AsyncClient, digit: str) -> None:
    body = check_problem(await ask(client, bytes(784), query=f"?digit={digit}"), 422)
    assert body["errors"][0]["field"] == "query.digit"


@pytest.mark.parametrize(
    ("status", "body", "content_type"),
    [
        (400, b"", RAW),
        (400, b"{", JSON),
        (400, form([("picture", b"x"), ("image", b"x")]), MULTIPART),
        (413, bytes(784 * 10_001), RAW),
        (415, b"x", "text/plain"),
        (422, b"x", PNG),
        (422, bytes(783), RAW),
        (422, image_file(np.zeros((28, 40), np.uint8)), PNG),
    ],
)
async def test_error_is_a_problem_even_when_a_picture_was_asked_for(
    client: httpx.AsyncClient, status: int, body: bytes, content_type: str
) -> None:
    check_problem(await ask(client, body, content_type, accept=PNG), status)


async def test_explained_image_is_counted(client: httpx.AsyncClient) -> None:
    await ask(client, bytes(784))
    series = (await client.get("/metrics", headers={"Accept": "text/plain"})).text
    assert "inkling_images_total 1.0" in series


@pytest.mark.mnist
async def test_real_digits_are_explained_without_loss(client: httpx.AsyncClient, real_mnist_dir: Path) -> None:
    for image in mnist.read_folder(real_mnist_dir).test.images[:20]:
        answer = (await ask(client, image_file(image), PNG)).json()
        assert np.sum(answer["contributions"]) == pytest.approx(
            answer["logit"] - answer["baseline_logit"], abs=MAX_SUM_ERROR
        )
