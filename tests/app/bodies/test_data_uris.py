"""Image files as data: URIs in JSON."""

import base64
import json
from urllib.parse import quote

import numpy as np
import pytest

from app.bodies.images import undecoded_images, undecoded_pictures
from app.bodies.limits import TOTAL_PIXELS_FACTOR, UploadLimits
from app.decoders.work import PictureFile
from app.errors import BodyError, FieldError
from inkling.digit import Gray
from inkling.errors import ImageError, TooLargeError
from tests.support.bodies import GRADIENT, JSON, LIMITS, image_file, read, read_pictures


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


def data_uri(content: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{base64_of(content)}"


def body_of(*texts: str) -> bytes:
    return json.dumps({"images": texts}).encode()


FILE = image_file(GRADIENT)
NOISE = np.random.default_rng(1).integers(0, 256, (28, 28), dtype=np.uint8)
"""Its file has + and / in Base64."""
NOISY = image_file(NOISE)


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "BMP", "GIF", "AVIF", "HEIC"])
def test_file_of_each_format_is_read_whatever_type_its_uri_names(digits: Gray, file_format: str) -> None:
    options = {"lossless": True} if file_format == "WEBP" else {}
    content = image_file(digits[3], file_format, **options)
    for media_type in (f"image/{file_format.lower()}", "", "image/png;name=a.png", "application/octet-stream"):
        np.testing.assert_array_equal(read(body_of(data_uri(content, media_type)), JSON)[0], digits[3])


@pytest.mark.parametrize(
    "text",
    [
        data_uri(NOISY),
        data_uri(NOISY).replace("data:", "DATA:").replace("base64", "Base64"),
        data_uri(NOISY).rstrip("="),
        data_uri(NOISY).replace("+", "-").replace("/", "_").replace("image_", "image/"),
        "data:image/png;base64," + quote(base64_of(NOISY), safe=""),
        "data:image/png;base64," + base64.encodebytes(NOISY).decode(),
        "\n " + data_uri(NOISY),
        "data:;base64 ," + base64_of(NOISY),
    ],
)
def test_uri_is_read_as_clients_and_browsers_write_it(text: str) -> None:
    np.testing.assert_array_equal(read(body_of(text), JSON)[0], NOISE)


@pytest.mark.parametrize(("character", "escape"), [("/", r"\/"), ("+", r"\u002B"), ("=", r"\u003d"), ("a", r"\u0061")])
def test_escapes_of_json_are_undone(character: str, escape: str) -> None:
    body = b'{"images":["' + data_uri(NOISY).replace(character, escape).encode() + b'"]}'
    np.testing.assert_array_equal(read(body, JSON)[0], NOISE)


@pytest.mark.parametrize("escape", [lambda text: text.replace("/", r"\/"), lambda text: text.replace("+", "%2B")])
def test_escapes_of_a_large_text_are_undone_in_pieces(escape: object) -> None:
    assert callable(escape)
    picture = np.random.default_rng(2).integers(0, 256, (400, 500), dtype=np.uint8)
    body = b'{"images":["' + escape(data_uri(image_file(picture))).encode() + b'"]}'
    (read_picture,) = read_pictures(body, JSON, LIMITS)
    np.testing.assert_array_equal(read_picture, picture)


def test_files_keep_their_order_and_are_left_to_the_decoders(digits: Gray) -> None:
    texts = [data_uri(image_file(digit)) for digit in digits[:4]]
    spaced = json.dumps({"images": texts}, indent=4).encode() + b"\n"
    np.testing.assert_array_equal(read(spaced, JSON), digits[:4])
    single = json.dumps({"images": texts[2]}).encode()
    np.testing.assert_array_equal(read(single, JSON)[0], digits[2])
    pictures = undecoded_pictures(spaced, JSON, LIMITS)
    assert [item.name for item in pictures if isinstance(item, PictureFile)] == [f"image {i} of 4" for i in range(1, 5)]
    (left,) = undecoded_images(body_of(data_uri(image_file(digits[0], "HEIC"))), JSON, LIMITS)
    assert isinstance(left, PictureFile)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "https://example.com/7.png",
            r"is a URL \('https://example.com/7.png'\), and nothing is fetched, expected data:",
        ),
        (base64_of(FILE), "is Base64 without its beginning, expected data:image/png;base64"),
        ("7.png", "is the text '7.png', expected data:image/png;base64"),
        ("", "is an empty text, expected"),
        ("data:image/png;base64", "without a comma in its first 1024 bytes"),
        ("data:image/png;base64,", "is an empty data: URI"),
        ("data:image/png;base64,====", "whose Base64 is damaged"),
        ("data:image/png;base64,ab$d", "whose Base64 is damaged"),
        ("data:image/png;base64,iVBO=Rw0", "whose Base64 is damaged: it goes on after its padding"),
        ("data:image/png;base64," + "%41" * 100, "whose Base64 is damaged: 100 of its 300 bytes are %"),
        ("data:image/png,%89PNG", "is a data: URI without `;base64`"),
        ("data:image/svg+xml;utf8,<svg xmlns='http://www.w3.org/2000/svg'/>", "without `;base64` and an SVG drawing"),
        (data_uri(b"%PDF-1.7 x", "application/pdf"), "is a PDF file, expected an image: .*; save its page as PNG"),
        (data_uri(b"nothing"), r"\(7 bytes\) is not an image"),
    ],
)
def test_other_texts_are_refused_with_their_number_and_what_to_do(text: str, message: str) -> None:
    with pytest.raises(ImageError, match=f"image 2 of 2 .*{message}|image 2 of 2 {message}"):
        read(body_of(data_uri(FILE), text), JSON)


def test_image_files_hidden_from_the_rules_are_not() -> None:
    with pytest.raises(ImageError, match="image 1 of 1 is 40x28 pixels, expected 28x28"):
        read(body_of(data_uri(image_file(np.zeros((28, 40), np.uint8)))), JSON)


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        (b'{"images": ["data:,", 1]}', ImageError, "must hold numbers 0 to 255, and nothing else; or data: URIs"),
        (b'{"images": ["data:,", ["data:,"]]}', ImageError, "must hold numbers"),
        (b'{"images": "data:,"]}', BodyError, "not JSON"),
        (b'{"images": ["data:,"}', BodyError, "not JSON"),
        (b'{"images": ["data:,"', BodyError, "not JSON"),
        (b'{"images": ["data:,', BodyError, "not JSON"),
        (b'{"images": ["data:,"]} 1', BodyError, "not JSON"),
        (rb'{"images": ["data:\q"]}', BodyError, "not JSON"),
        (rb'{"images": ["data:\"x"]}', ImageError, "must hold numbers"),
        (b'{"images": ["data:,"], "fit": "mnist"}', FieldError, "`fit` is a parameter of the query"),
        (b'{"images": {"a": "data:,"}}', BodyError, "or image files, data:image/png;base64"),
    ],
)
def test_body_of_another_form_is_refused(body: bytes, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        read(body, JSON)


def test_limits_hold() -> None:
    with pytest.raises(TooLargeError, match="3 images in one request, the limit is 2"):
        read(body_of(*[data_uri(FILE)] * 5), JSON, UploadLimits(max_images=2, max_pixels=1000))
    large = data_uri(image_file(np.zeros((100, 100), np.uint8)))
    limits = UploadLimits(max_images=10, max_pixels=10_000)
    assert len(undecoded_pictures(body_of(*[large] * TOTAL_PIXELS_FACTOR), JSON, limits)) == TOTAL_PIXELS_FACTOR
    with pytest.raises(TooLargeError, match="image 5 of 5 brings the request to 50000 pixels"):
        undecoded_pictures(body_of(*[large] * (TOTAL_PIXELS_FACTOR + 1)), JSON, limits)
