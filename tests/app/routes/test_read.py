import base64
import io

import httpx
import numpy as np
import pytest
from PIL import Image

from inkling.digit import Gray
from tests.app.test_errors import check_problem
from tests.support.bodies import JSON, MULTIPART, NPY, PNG, RAW, form, image_file, images_json, npy_file
from tests.support.numbers import stack_lines, write

pytestmark = pytest.mark.anyio


async def ask(client: httpx.AsyncClient, body: bytes, content_type: str = PNG, query: str = "") -> httpx.Response:
    return await client.post(f"/read{query}", content=body, headers={"Content-Type": content_type})


async def test_number_is_read(client: httpx.AsyncClient) -> None:
    response = await ask(client, image_file(write("2026")))
    assert response.status_code == 200, response.text
    answer = response.json()
    assert (answer["version"], answer["text"], answer["warnings"]) == (1, "2026", [])
    (line,) = answer["lines"]
    assert (line["picture"], line["text"], line["marks"]) == (1, "2026", [])
    assert [digit["digit"] for digit in line["digits"]] == [2, 0, 2, 6]
    for digit in line["digits"]:
        assert digit["confidence"] == max(digit["probabilities"]) == digit["probabilities"][digit["digit"]]
        left, top, right, bottom = digit["box"]
        assert line["box"][0] <= left < right <= line["box"][2]
        assert line["box"][1] <= top < bottom <= line["box"][3]
        assert "image" not in digit
    assert response.headers["x-model-version"] == "1"
    assert response.headers["server-timing"].startswith("decode;dur=")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (PNG, image_file(write("31"))),
        ("image/jpeg", image_file(write("31"), "JPEG")),
        (MULTIPART, form([("file", image_file(write("31")))])),
        (JSON, images_json(write("31"))),
        (NPY, npy_file(write("31"))),
        ("", image_file(write("31"))),
    ],
)
async def test_every_type_of_predict_is_read(client: httpx.AsyncClient, content_type: str, body: bytes) -> None:
    response = await ask(client, body, content_type)
    assert response.status_code == 200, response.text
    assert response.json()["text"] == "31"


async def test_several_pictures_keep_their_order(client: httpx.AsyncClient) -> None:
    pictures = [write("12"), stack_lines([write("3.5"), write("-60")]), write("7")]
    answer = (await ask(client, form([("file", image_file(picture)) for picture in pictures]), MULTIPART)).json()
    assert answer["text"] == "12\n3.5\n-60\n7"
    assert [line["picture"] for line in answer["lines"]] == [1, 2, 2, 3]
    assert [mark["mark"] for line in answer["lines"] for mark in line["marks"]] == [".", "-"]


async def test_many_digits_are_read_in_a_thread(client: httpx.AsyncClient) -> None:
    picture = stack_lines([write("12345"), write("67890")] * 8)
    answer = (await ask(client, image_file(picture))).json()
    assert answer["text"] == "\n".join(["12345", "67890"] * 8)


async def test_images_of_the_digits_are_returned(client: httpx.AsyncClient) -> None:
    answer = (await ask(client, image_file(write("26")), query="?return_image=true")).json()
    for digit in answer["lines"][0]["digits"]:
        prefix, _, content = digit["image"].partition(",")
        assert prefix == "data:image/png;base64"
        with Image.open(io.BytesIO(base64.b64decode(content))) as image:
            assert image.size == (28, 28)


async def test_page_of_numbers_costs_no_more_than_one_turn_of_the_decoders(client: httpx.AsyncClient) -> None:
    picture = np.kron(write("2026", height=60), np.ones((10, 10), np.uint8))
    assert (await ask(client, image_file(picture))).json()["text"] == "2026"


@pytest.mark.parametrize(
    ("body", "content_type", "status", "words"),
    [
        (bytes(784), RAW, 422, "image 1: the picture is blank"),
        (b"no image", PNG, 422, "is not an image"),
        (b"", PNG, 400, "the body is empty"),
        (b"<svg/>", "text/html", 415, "Content-Type is text/html"),
        (form([("file", image_file(write("1"))), ("file", image_file(Image.new("L", (50, 50))))]), MULTIPART, 422, "2"),
    ],
)
async def test_what_cannot_be_read_is_a_problem(
    client: httpx.AsyncClient, body: bytes, content_type: str, status: int, words: str
) -> None:
    response = await ask(client, body, content_type)
    check_problem(response, status)
    assert words in response.json()["detail"]


async def test_unknown_parameter_is_refused(client: httpx.AsyncClient) -> None:
    check_problem(await ask(client, image_file(write("1")), query="?fit=mnist"), 422)


@pytest.mark.parametrize("picture", [write("2026"), write("20", height=20, gap=6)])
async def test_predict_refuses_a_number_and_names_read(client: httpx.AsyncClient, picture: Gray) -> None:
    response = await client.post("/predict?fit=mnist", content=image_file(picture), headers={"Content-Type": PNG})
    check_problem(response, 422)
    assert response.json()["detail"].endswith("; POST /read reads numbers")
