import gzip
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.bodies.images import MEDIA_TYPES
from app.errors import BodyError, MediaTypeError
from inkling.digit import Gray
from inkling.errors import InputError
from inkling.vision.image_files import FORMATS
from tests.support.bodies import (
    GRADIENT,
    JSON,
    MULTIPART,
    NPY,
    PNG,
    RAW,
    form,
    image_file,
    images_form,
    images_json,
    npy_file,
    png_chunk,
    read,
)

# media types


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (MULTIPART, images_form(GRADIENT[None])),
        (PNG, image_file(GRADIENT)),
        ("image/bmp", image_file(GRADIENT, "BMP")),
        ("image/gif", image_file(GRADIENT, "GIF")),
        ("image/webp", image_file(GRADIENT, "WEBP", lossless=True)),
        (JSON, images_json(GRADIENT)),
        (RAW, GRADIENT.tobytes()),
        (NPY, npy_file(GRADIENT)),
    ],
)
def test_every_lossless_type_gives_the_same_pixels(content_type: str, body: bytes) -> None:
    images = read(body, content_type)
    assert images.shape == (1, 28, 28)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images[0], GRADIENT)


def test_jpeg_gives_nearly_the_same_pixels(digits: Gray) -> None:
    images = read(image_file(digits[3], "JPEG", quality=95), "image/jpeg")
    assert np.abs(images[0].astype(int) - digits[3]).mean() < 4


def test_every_media_type_is_tested_here() -> None:
    assert set(MEDIA_TYPES) == {
        *("multipart/form-data", "image/png", "image/jpeg", "image/webp", "image/bmp", "image/gif"),
        *("image/avif", "image/heic", "image/heif"),
        *(JSON, RAW, NPY),
    }
    assert len(FORMATS) == 7


@pytest.mark.parametrize(
    "content_type", ["Application/JSON", "application/json; charset=utf-8", " application/json ;x"]
)
def test_media_type_is_read_as_http_writes_it(content_type: str) -> None:
    assert len(read(images_json(GRADIENT), content_type)) == 1


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "image/tiff", "image/*", "application/x-www-form-urlencoded", "x" * 500]
)
def test_other_media_type_is_refused_with_those_taken(content_type: str) -> None:
    with pytest.raises(MediaTypeError, match="application/x-npy") as raised:
        read(b"x", content_type)
    assert (content_type[:100] or "missing") in str(raised.value)


@pytest.mark.parametrize(
    ("content_type", "file_format"),
    [
        *((name, "JPEG") for name in ("image/jpg", "image/pjpeg", "IMAGE/JPG; x=y")),
        *((name, "PNG") for name in ("image/x-png", "image/jpeg", RAW, "", "application/x-www-form-urlencoded")),
        *((name, "BMP") for name in ("image/x-ms-bmp", "image/x-bmp", RAW)),
        *((name, "GIF") for name in (RAW, "binary/octet-stream")),
        *((name, "WEBP") for name in (RAW, "")),
    ],
)
def test_image_file_is_read_under_other_names_of_its_type_and_none(content_type: str, file_format: str) -> None:
    file = image_file(GRADIENT, file_format)
    np.testing.assert_array_equal(read(file, content_type), read(file, f"image/{file_format.lower()}"))


@pytest.mark.parametrize("content_type", [RAW, "", "application/x-numpy"])
def test_npy_is_read_under_other_names_of_its_type_and_none(content_type: str) -> None:
    np.testing.assert_array_equal(read(npy_file(GRADIENT), content_type)[0], GRADIENT)


def test_png_of_784_bytes_is_no_raw_image(digits: Gray) -> None:
    short = image_file(digits[3])
    text = b"k\0" + b"x" * (784 - len(short) - 14)
    body = short[:33] + png_chunk(b"tEXt", text) + short[33:]
    assert len(body) == 784
    np.testing.assert_array_equal(read(body, RAW)[0], digits[3])


@pytest.mark.parametrize("content_type", ["text/plain", JSON])
def test_image_under_a_wrong_type_is_named(content_type: str) -> None:
    with pytest.raises(InputError, match="a PNG image"):
        read(image_file(GRADIENT), content_type)


@pytest.mark.parametrize("content_type", [PNG, MULTIPART, RAW])
def test_file_that_is_no_image_is_named(content_type: str) -> None:
    file = gzip.compress(bytes(784))
    with pytest.raises(InputError, match="a gzip file"):
        read(form([("file", file)]) if content_type == MULTIPART else file, content_type)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", PNG, "image/jpeg", RAW])
def test_file_that_lost_its_line_ends_gets_the_hint(content_type: str, file_format: str) -> None:
    body = image_file(GRADIENT, file_format).translate(None, b"\r\n\0")  # as `curl -d @digit.png` sends it
    with pytest.raises(InputError, match=r"curl -d. removes them; use --data-binary"):
        read(body, content_type)


@pytest.mark.parametrize("content_type", MEDIA_TYPES)
def test_empty_body_is_refused(content_type: str) -> None:
    with pytest.raises(BodyError, match="empty"):
        read(b"", content_type)


# whatever comes

FILES = [image_file(GRADIENT, file_format) for file_format in FORMATS]
BODIES = [(PNG, file) for file in FILES] + [
    (MULTIPART, images_form(np.stack([GRADIENT, GRADIENT]))),
    (JSON, images_json(GRADIENT)),
    (NPY, npy_file(GRADIENT)),
    (NPY, npy_file(GRADIENT, (2, 0))),
]


def check_answer_or_refusal(body: bytes, content_type: str) -> None:
    try:
        images = read(body, content_type)
    except InputError as error:
        assert str(error)  # noqa: PT017  either is right
    else:
        assert images.shape[1:] == (28, 28)
        assert images.dtype == np.uint8


@settings(database=None, deadline=None, max_examples=300)
@given(content_type=st.sampled_from([MULTIPART, *MEDIA_TYPES]), body=st.binary(max_size=2000))
def test_random_bytes_are_read_or_refused(content_type: str, body: bytes) -> None:
    check_answer_or_refusal(body, content_type)


@settings(database=None, deadline=None, max_examples=500)
@given(
    whole=st.sampled_from(BODIES),
    position=st.integers(0, 3000),
    damage=st.binary(max_size=8),
    end=st.integers(1, 3000),
)
def test_damaged_bodies_are_read_or_refused(whole: tuple[str, bytes], position: int, damage: bytes, end: int) -> None:
    content_type, body = whole
    position %= len(body)
    check_answer_or_refusal((body[:position] + damage + body[position + len(damage) :])[:end], content_type)


@settings(database=None, deadline=None, max_examples=200)
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.text(),
        lambda children: st.lists(children) | st.dictionaries(st.text(max_size=5), children, max_size=3),
        max_leaves=20,
    )
)
def test_any_json_is_read_or_refused(value: Any) -> None:
    check_answer_or_refusal(json.dumps({"images": value}).encode(), JSON)
    check_answer_or_refusal(json.dumps(value).encode(), JSON)
