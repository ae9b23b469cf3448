import base64
import dataclasses
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.schemas import Predictions
from app.serving.inference import INLINE_BODY_BYTES
from app.settings import Settings
from inkling import mnist
from inkling.digit import Gray
from inkling.network.checkpoint import Checkpoint
from inkling.network.classifier import Classifier
from inkling.network.evaluation import evaluate
from inkling.vision.image_files import decode_image
from inkling.vision.normalize import normalize
from tests.support.bodies import JSON, MULTIPART, NPY, PNG, RAW, image_file, images_form, images_json, npy_file
from tests.support.servers import Server
from tests.support.services import connect

pytestmark = pytest.mark.anyio

Encode = Callable[[Gray], bytes]


async def read(client: httpx.AsyncClient, body: bytes, content_type: str) -> NDArray[np.float64]:
    """Post images and return their probabilities (n, 10); check that digit and confidence agree with them."""
    response = await client.post("/predict", content=body, headers={"Content-Type": content_type})
    assert response.status_code == 200, response.text
    predictions = response.json()["predictions"]
    probabilities = np.array([prediction["probabilities"] for prediction in predictions])
    assert [prediction["digit"] for prediction in predictions] == probabilities.argmax(axis=1).tolist()
    assert [prediction["confidence"] for prediction in predictions] == probabilities.max(axis=1).tolist()
    return probabilities


@pytest.mark.parametrize(
    ("content_type", "encode"),
    [
        (MULTIPART, images_form),
        (JSON, images_json),
        (JSON, lambda images: images_json(images.reshape(-1, 784))),
        (RAW, lambda images: images.tobytes()),
        (NPY, npy_file),
        (NPY, lambda images: npy_file(images.reshape(-1, 784))),
        (NPY, lambda images: npy_file(np.asfortranarray(images))),
    ],
)
async def test_every_type_answers_the_networks_probabilities_in_order(
    client: httpx.AsyncClient, classifier: Classifier, digits: Gray, content_type: str, encode: Encode
) -> None:
    probabilities = await read(client, encode(digits), content_type)
    np.testing.assert_allclose(probabilities, classifier.probabilities(digits), atol=1e-6)


@pytest.mark.parametrize(
    ("content_type", "file_format"),
    [
        *((PNG, "PNG"), ("image/bmp", "BMP"), ("image/gif", "GIF")),
        *(("image/avif", "AVIF"), ("image/heic", "HEIC"), ("image/heif", "HEIC"), (RAW, "HEIC"), ("", "AVIF")),
    ],
)
async def test_one_image_file_answers_one_prediction(
    client: httpx.AsyncClient, classifier: Classifier, digits: Gray, content_type: str, file_format: str
) -> None:
    probabilities = await read(client, image_file(digits[4], file_format), content_type)
    np.testing.assert_allclose(probabilities, classifier.probabilities(digits[4:5]), atol=1e-6)


@pytest.mark.parametrize("file_format", ["PNG", "AVIF", "HEIC"])
async def test_file_in_json_is_read_as_the_file_is(client: httpx.AsyncClient, digits: Gray, file_format: str) -> None:
    file = image_file(255 - np.pad(digits[2], 30), file_format)
    text = f"data:image/{file_format.lower()};base64,{base64.b64encode(file).decode()}"
    answers = [
        await client.post("/predict?fit=mnist", content=body, headers={"Content-Type": content_type})
        for body, content_type in ((file, f"image/{file_format.lower()}"), (images_json([text]), JSON))
    ]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()


@pytest.mark.parametrize(
    ("content", "kind", "advice"),
    [(b"%PDF-1.7\n", "a PDF file", "save its page as PNG"), (b"\x1aE\xdf\xa3", "a WebM", "send one of its frames")],
)
@pytest.mark.parametrize("query", ["", "?fit=mnist"])
async def test_file_of_another_kind_is_named(
    client: httpx.AsyncClient, content: bytes, kind: str, advice: str, query: str
) -> None:
    answer = await client.post(f"/predict{query}", files={"file": ("photo.heic", content)})
    assert answer.status_code == 422
    assert f"image 1 of 1 is {kind}" in answer.json()["detail"]
    assert advice in answer.json()["detail"]


async def test_form_of_httpx_is_read(client: httpx.AsyncClient, digits: Gray) -> None:
    files = [("file", (f"{i}.png", image_file(digit), "image/png")) for i, digit in enumerate(digits)]
    response = await client.post("/predict", files=files)
    assert len(response.json()["predictions"]) == len(digits)


async def test_answer_names_the_version_and_its_timing(client: httpx.AsyncClient) -> None:
    response = await client.post("/predict", content=bytes(784), headers={"Content-Type": RAW})
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-model-version"] == "1"
    assert response.json()["version"] == 1
    assert response.headers["server-timing"].startswith("decode;dur=")
    assert ", model;dur=" in response.headers["server-timing"]
    assert response.headers["cache-control"] == "no-store"


async def test_npy_is_answered_when_asked_for(client: httpx.AsyncClient, classifier: Classifier, digits: Gray) -> None:
    headers = {"Content-Type": RAW, "Accept": NPY}
    response = await client.post("/predict", content=digits.tobytes(), headers=headers)
    assert response.headers["content-type"] == NPY
    probabilities = np.load(io.BytesIO(response.content), allow_pickle=False)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities, classifier.probabilities(digits), atol=1e-6)


async def test_npy_that_is_not_accepted_is_not_answered(client: httpx.AsyncClient) -> None:
    headers = {"Content-Type": RAW, "Accept": f"{NPY};q=0, application/json"}
    response = await client.post("/predict", content=bytes(784), headers=headers)
    assert response.headers["content-type"] == "application/json"


async def test_large_body_is_read_like_a_small_one(
    client: httpx.AsyncClient, classifier: Classifier, digits: Gray
) -> None:
    many = np.concatenate([digits] * 5)
    assert many.nbytes > INLINE_BODY_BYTES > digits.nbytes
    probabilities = await read(client, many.tobytes(), RAW)
    np.testing.assert_allclose(probabilities, classifier.probabilities(many), atol=1e-6)


async def test_error_in_a_large_body_is_a_problem_too(client: httpx.AsyncClient) -> None:
    response = await client.post("/predict", content=bytes(100_000), headers={"Content-Type": RAW})
    assert response.status_code == 422
    assert "100000 bytes" in response.json()["detail"]


async def test_fit_strict_is_the_default(client: httpx.AsyncClient, digits: Gray) -> None:
    headers = {"Content-Type": RAW}
    default = await client.post("/predict", content=digits.tobytes(), headers=headers)
    strict = await client.post("/predict?fit=strict", content=digits.tobytes(), headers=headers)
    assert default.content == strict.content
    assert set(strict.json()["predictions"][0]) == {
        *("digit", "confidence", "probabilities", "is_digit", "digit_score")
    }


async def test_wrong_size_names_the_image_and_the_way_out(client: httpx.AsyncClient, digits: Gray) -> None:
    large = np.zeros((28, 40), np.uint8)
    files = [("file", ("a.png", image_file(image), "image/png")) for image in (digits[0], large)]
    response = await client.post("/predict", files=files)
    assert response.status_code == 422
    assert response.json()["detail"] == ("image 2 of 2 is 40x28 pixels, expected 28x28; fit=mnist normalizes it")


async def test_limits_of_the_settings_hold(settings: Settings) -> None:
    limited = settings.model_copy(update={"max_images": 2, "max_pixels": 784})
    async with connect(limited) as client:
        response = await client.post("/predict", content=bytes(3 * 784), headers={"Content-Type": RAW})
        assert (response.status_code, response.json()["detail"]) == (
            413,
            "3 images in one request, the limit is 2; send several requests",
        )
        body = image_file(np.zeros((29, 28), np.uint8))
        response = await client.post("/predict", content=body, headers={"Content-Type": PNG})
        assert response.status_code == 413
        assert "28x29, 812 pixels; the limit is 784" in response.json()["detail"]


def test_many_clients_at_once_get_their_own_answers(server: Server, classifier: Classifier, digits: Gray) -> None:
    def ask(i: int) -> list[float]:
        count = 1 + i % 3
        images = np.stack([digits[(i + j) % 20] for j in range(count)])
        encode, content_type = [(images_form, MULTIPART), (images_json, JSON)][i % 2]
        response = client.post("/predict", content=encode(images), headers={"Content-Type": content_type})
        predictions = response.json()["predictions"]
        assert len(predictions) == count
        probabilities: list[float] = predictions[0]["probabilities"]
        return probabilities

    expected = classifier.probabilities(digits)
    with server.client() as client, ThreadPoolExecutor(8) as threads:
        for i, probabilities in enumerate(threads.map(ask, range(200))):
            np.testing.assert_allclose(probabilities, expected[i % 20], atol=1e-6)


@pytest.mark.mnist
async def test_real_digits_are_read_alike_in_every_type(client: httpx.AsyncClient, real_mnist_dir: Path) -> None:
    test = mnist.read_folder(real_mnist_dir).test[:100]
    images = test.images
    forms = await read(client, images_form(images), MULTIPART)
    assert (forms.argmax(axis=1) == test.labels).sum() >= 90
    np.testing.assert_array_equal(await read(client, images_json(images), JSON), forms)
    np.testing.assert_array_equal(await read(client, images.tobytes(), RAW), forms)
    np.testing.assert_array_equal(await read(client, npy_file(images), NPY), forms)
    one_by_one = np.concatenate([await read(client, image_file(image), PNG) for image in images])
    np.testing.assert_allclose(one_by_one, forms, rtol=0, atol=1e-6)


@pytest.mark.mnist
async def test_shipped_network_reads_the_test_images_and_its_confidence_means_what_it_says(
    client: httpx.AsyncClient, shipped: Checkpoint, real_mnist_dir: Path
) -> None:
    test = mnist.read_folder(real_mnist_dir).test
    probabilities = await read(client, test.images.tobytes(), RAW)
    evaluation = evaluate(probabilities.astype(np.float32), test.labels)
    assert evaluation.correct >= 9_930
    assert evaluation.calibration_error <= 0.005
    assert abs(evaluation.correct - shipped.card.evaluation.correct) <= 1


# fit=mnist


def pictures_of(digits: Gray) -> list[Gray]:
    """Return digits as people send them: large, dark on white, anywhere."""
    large = [np.asarray(Image.fromarray(digit).resize((112, 112), Image.Resampling.BICUBIC)) for digit in digits]
    return [255 - np.pad(image, ((10 * i, 5), (3, 20 * i))) for i, image in enumerate(large)]


async def test_any_picture_is_read_as_what_it_is_normalized_to(
    client: httpx.AsyncClient, classifier: Classifier, digits: Gray
) -> None:
    pictures = pictures_of(digits[:4])
    files = [("file", ("a.png", image_file(picture), PNG)) for picture in pictures]
    response = await client.post("/predict?fit=mnist&return_image=true", files=files)
    assert response.status_code == 200, response.text
    predictions = response.json()["predictions"]
    for picture, prediction in zip(pictures, predictions, strict=True):
        expected = normalize(picture)
        report = prediction["normalized"]
        head, _, image = report.pop("image").partition(",")
        assert head == "data:image/png;base64"
        np.testing.assert_array_equal(decode_image(base64.b64decode(image), 784), expected.pixels)
        assert report == {**dataclasses.asdict(expected.report), "box": list(expected.report.box or ()), "warnings": []}
        probabilities = classifier.probabilities(expected.pixels[np.newaxis])
        np.testing.assert_allclose([prediction["probabilities"]], probabilities, atol=1e-6)
    assert Predictions.model_validate(response.json()).predictions[0].normalized


async def test_image_is_answered_only_when_asked_for(client: httpx.AsyncClient, digits: Gray) -> None:
    body = image_file(pictures_of(digits[:1])[0])
    response = await client.post("/predict?fit=mnist", content=body, headers={"Content-Type": PNG})
    assert set(response.json()["predictions"][0]["normalized"]) == {
        *("is_untouched", "inverted", "box", "background_removed", "warnings")
    }


async def test_npy_of_any_size_answers_npy(client: httpx.AsyncClient, classifier: Classifier, digits: Gray) -> None:
    picture = pictures_of(digits[:1])[0]
    headers = {"Content-Type": NPY, "Accept": NPY}
    response = await client.post("/predict?fit=mnist", content=npy_file(picture), headers=headers)
    probabilities = np.load(io.BytesIO(response.content), allow_pickle=False)
    expected = classifier.probabilities(normalize(picture).pixels[np.newaxis])
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)


async def test_picture_without_a_digit_is_named_by_its_position(client: httpx.AsyncClient, digits: Gray) -> None:
    pictures = [*pictures_of(digits[:1]), np.full((50, 60), 255, np.uint8)]
    files = [("file", ("a.png", image_file(picture), PNG)) for picture in pictures]
    response = await client.post("/predict?fit=mnist", files=files)
    assert response.status_code == 422
    assert response.json()["title"] == "No single digit in the picture"
    assert response.json()["detail"].startswith("image 2: the picture is blank: its gray levels go from 255 to 255")


async def test_return_image_with_fit_strict_is_refused(client: httpx.AsyncClient) -> None:
    response = await client.post("/predict?return_image=true", content=bytes(784), headers={"Content-Type": RAW})
    assert response.status_code == 422
    assert "return_image=true needs fit=mnist" in response.json()["detail"]


@pytest.mark.parametrize("path", ["/predict", "/predict?fit=strict"])
@pytest.mark.parametrize(
    ("content_type", "encode"),
    [(MULTIPART, images_form), (JSON, images_json), (RAW, lambda images: images.tobytes()), (NPY, npy_file)],
)
async def test_image_unlike_mnist_is_answered_with_a_warning(
    client: httpx.AsyncClient, digits: Gray, path: str, content_type: str, encode: Encode
) -> None:
    images = np.stack([digits[7], 255 - digits[7], digits[7] // 255, digits[1]])
    response = await client.post(path, content=encode(images), headers={"Content-Type": content_type})
    first, inverted, tiny, last = response.json()["predictions"]
    assert "warnings" not in first
    assert "warnings" not in last
    assert "dark strokes on a light background" in inverted["warnings"][0]
    assert "only 0 and 1" in tiny["warnings"][0]
    Predictions.model_validate_json(response.content)


async def test_plain_png_and_explanation_carry_the_warning(client: httpx.AsyncClient, digits: Gray) -> None:
    for image, is_warned in ((digits[7], False), (255 - digits[7], True)):
        answers = [
            await client.post(path, content=image_file(image), headers={"Content-Type": PNG})
            for path in ("/predict", "/explain", "/explain?fit=mnist")
        ]
        predicted = answers[0].json()["predictions"][0]
        explained, normalized = (answer.json()["prediction"] for answer in answers[1:])
        assert ["warnings" in prediction for prediction in (predicted, explained, normalized)] == [
            is_warned,
            is_warned,
            False,
        ]
