import json
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from app.bodies.images import MEDIA_TYPES, read_images
from app.bodies.limits import UploadLimits
from app.bodies.multipart import multipart_files
from app.errors import BodyError, MediaTypeError
from inkling.digit import Gray
from inkling.errors import ImageError, InputError, TooLargeError
from inkling.vision.image_files import FORMATS, decode_image
from tests.support.bodies import (
    BOUNDARY,
    JSON,
    MULTIPART,
    NPY,
    PNG,
    RAW,
    form,
    image_file,
    images_form,
    images_json,
    npy_claiming,
    npy_file,
    png_chunk,
    png_claiming,
)

MAX_PIXELS = 1_000_000
LIMITS = UploadLimits(max_images=100, max_pixels=MAX_PIXELS)
GRADIENT = np.arange(784, dtype=np.uint8).reshape(28, 28)


def read(body: bytes, content_type: str, limits: UploadLimits = LIMITS) -> Gray:
    return read_images(body, content_type, limits)


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
        *(JSON, RAW, NPY),
    }
    assert len(FORMATS) == 5


@pytest.mark.parametrize(
    "content_type", ["Application/JSON", "application/json; charset=utf-8", " application/json ;x"]
)
def test_media_type_is_read_as_http_writes_it(content_type: str) -> None:
    assert len(read(images_json(GRADIENT), content_type)) == 1


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "image/tiff", "image/*", "application/x-www-form-urlencoded"]
)
def test_other_media_type_is_refused_with_those_taken(content_type: str) -> None:
    with pytest.raises(MediaTypeError, match="application/x-npy") as raised:
        read(b"x", content_type)
    assert (content_type or "missing") in str(raised.value)


@pytest.mark.parametrize("content_type", MEDIA_TYPES)
def test_empty_body_is_refused(content_type: str) -> None:
    with pytest.raises(BodyError, match="empty"):
        read(b"", content_type)


# image files


def test_colors_become_gray() -> None:
    pixels = np.zeros((28, 28, 3), np.uint8)
    pixels[:, :14] = (255, 255, 255)
    pixels[:, 14:] = (255, 0, 0)
    gray = decode_image(image_file(Image.fromarray(pixels)), MAX_PIXELS)
    assert (gray[:, :14] == 255).all()
    assert (gray[:, 14:] == 76).all()  # ITU-R 601: 0.299 of 255


@pytest.mark.parametrize(
    ("mode", "ink", "clear"),
    [
        ("RGBA", (255, 255, 255, 255), (255, 255, 255, 0)),
        ("LA", (255, 255), (255, 0)),
    ],
)
def test_transparent_pixels_are_ground(mode: str, ink: tuple[int, ...], clear: tuple[int, ...]) -> None:
    picture = Image.new(mode, (28, 28), clear)
    picture.paste(ink, (10, 10, 18, 18))
    gray = decode_image(image_file(picture), MAX_PIXELS)
    assert gray[14, 14] == 255
    assert gray[0, 0] == 0
    assert gray.sum() == 64 * 255


def test_half_transparent_ink_is_half_as_light() -> None:
    gray = decode_image(image_file(Image.new("LA", (28, 28), (255, 128))), MAX_PIXELS)
    assert (gray == 128).all()


def palette(ink: int) -> Image.Image:
    picture = Image.new("P", (28, 28), 0)
    picture.putpalette([255, 255, 255, 255, 255, 255, 51, 51, 51])
    picture.paste(ink, (10, 10, 18, 18))
    return picture


@pytest.mark.parametrize("file_format", ["PNG", "GIF"])
def test_palette_is_resolved_and_its_transparent_color_is_ground(file_format: str) -> None:
    gray = decode_image(image_file(palette(1), file_format, transparency=0), MAX_PIXELS)
    assert gray.sum() == 64 * 255


def test_palette_without_transparency_is_resolved() -> None:
    gray = decode_image(image_file(palette(2), "PNG"), MAX_PIXELS)
    assert (gray[0, 0], gray[14, 14]) == (255, 51)


def test_palette_with_many_transparent_colors_is_resolved() -> None:
    gray = decode_image(image_file(palette(1), "PNG", transparency=bytes([0, 128, 255])), MAX_PIXELS)
    assert (gray[0, 0], gray[14, 14]) == (0, 128)


def test_gray_with_a_transparent_value_has_it_as_ground() -> None:
    picture = Image.new("L", (28, 28), 200)
    picture.paste(100, (10, 10, 18, 18))
    gray = decode_image(image_file(picture, "PNG", transparency=200), MAX_PIXELS)
    assert (gray[0, 0], gray[14, 14]) == (0, 100)


def test_one_bit_images_are_black_and_white() -> None:
    picture = Image.new("1", (28, 28), 0)
    picture.paste(1, (10, 10, 18, 18))
    gray = decode_image(image_file(picture), MAX_PIXELS)
    assert gray.sum() == 64 * 255


def test_sixteen_bits_are_scaled_to_eight() -> None:
    deep = (np.arange(784, dtype=np.uint32).reshape(28, 28) * 65535 // 783).astype(np.uint16)
    gray = decode_image(image_file(Image.fromarray(deep)), MAX_PIXELS)
    np.testing.assert_array_equal(gray, deep >> 8)


def test_sixteen_bit_colors_are_read() -> None:
    row = b"\0" + struct.pack(">3H", 65535, 65535, 65535) * 28
    header = struct.pack(">IIBBBBB", 28, 28, 16, 2, 0, 0, 0)
    body = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(row * 28))
    assert (decode_image(body + png_chunk(b"IEND", b""), MAX_PIXELS) == 255).all()


def test_cmyk_jpeg_is_read() -> None:
    picture = Image.new("CMYK", (28, 28), (0, 0, 0, 255))
    picture.paste((0, 0, 0, 0), (0, 0, 14, 28))
    gray = decode_image(image_file(picture, "JPEG", quality=100), MAX_PIXELS)
    assert gray[14, 3] > 240
    assert gray[14, 24] < 15


def test_animation_counts_by_its_first_frame() -> None:
    first, second = Image.new("L", (28, 28), 0), Image.new("L", (28, 28), 255)
    first.paste(255, (10, 10, 18, 18))
    body = image_file(first, "GIF", save_all=True, append_images=[second], duration=100)
    assert decode_image(body, MAX_PIXELS).sum() == 64 * 255


@pytest.mark.parametrize("file_format", FORMATS)
def test_other_sizes_are_refused_and_fit_is_named(file_format: str) -> None:
    body = image_file(Image.new("L", (40, 28)), file_format)
    with pytest.raises(ImageError, match=r"digit\.png is 40x28 pixels, expected 28x28; send \?fit=mnist"):
        decode_image(body, MAX_PIXELS, "digit.png")


@pytest.mark.parametrize("file_format", ["TIFF", "ICO", "PPM", "PDF", "TGA"])
def test_formats_that_are_not_allowed_are_not_opened(file_format: str) -> None:
    body = image_file(Image.new("RGB", (28, 28)), file_format)
    with pytest.raises(ImageError, match="is not an image; PNG, JPEG, WEBP, BMP, GIF are read"):
        decode_image(body, MAX_PIXELS)


@pytest.mark.parametrize("file_format", FORMATS)
def test_truncated_file_is_refused_or_never_half_read(digits: Gray, file_format: str) -> None:
    body = image_file(digits[0], file_format)
    whole = decode_image(body, MAX_PIXELS)
    for length in range(1, len(body), 7):
        try:
            np.testing.assert_array_equal(
                decode_image(body[:length], MAX_PIXELS), whole
            )  # only its end marks are missing
        except ImageError as error:
            assert "\n" not in str(error)  # noqa: PT017  either is right


@pytest.mark.parametrize(("width", "height"), [(2000, 501), (1_000_001, 1), (10_000, 10_000), (60_000, 60_000)])
def test_header_that_claims_many_pixels_is_refused_before_they_are_allocated(width: int, height: int) -> None:
    with pytest.raises(TooLargeError, match=f"the limit is {MAX_PIXELS}"):
        decode_image(png_claiming(width, height), MAX_PIXELS)


def test_image_at_the_limit_of_pixels_is_judged_by_its_size_alone() -> None:
    with pytest.raises(ImageError, match="1000x1000"):
        decode_image(png_claiming(1000, 1000), MAX_PIXELS)


@pytest.mark.parametrize("size", [(0, 0), (0, 28), (0x7FFFFFFF, 0x7FFFFFFF)])
def test_impossible_size_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(InputError):
        decode_image(png_claiming(*size), MAX_PIXELS)


def test_text_that_inflates_a_thousandfold_is_refused(digits: Gray) -> None:
    body = image_file(digits[0])
    bomb = png_chunk(b"zTXt", b"comment\0\0" + zlib.compress(bytes(32 << 20), 9))
    with pytest.raises(ImageError, match="damaged"):
        decode_image(body[:33] + bomb + body[33:], MAX_PIXELS)


def test_damaged_file_is_refused_and_not_called_another_format(digits: Gray) -> None:
    body = bytearray(image_file(digits[0]))
    body[-30] ^= 0xFF
    with pytest.raises(ImageError, match=r"the image \(\d+ bytes\) is damaged"):
        decode_image(bytes(body), MAX_PIXELS)


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


# multipart


def test_files_of_a_form_keep_their_order(digits: Gray) -> None:
    np.testing.assert_array_equal(read(images_form(digits), MULTIPART), digits)


def test_other_parts_of_a_form_are_passed_over(digits: Gray) -> None:
    parts = [("comment", b"hello"), ("file", image_file(digits[1])), ("files", b"x"), ("file", image_file(digits[0]))]
    np.testing.assert_array_equal(read(form(parts), MULTIPART), digits[[1, 0]])


def test_image_of_a_form_that_cannot_be_read_is_named_by_its_position(digits: Gray) -> None:
    body = form([("file", image_file(digits[0])), ("file", b"not an image"), ("file", image_file(digits[1]))])
    with pytest.raises(ImageError, match=r"image 2 of 3 \(12 bytes\) is not an image"):
        read(body, MULTIPART)
    body = form([("file", image_file(digits[0])), ("file", image_file(Image.new("L", (5, 4))))])
    with pytest.raises(ImageError, match=r"image 2 of 2 is 5x4 pixels, expected 28x28"):
        read(body, MULTIPART)


def test_quoted_boundary_and_strange_header_case_are_read() -> None:
    body = b'--x y\r\nCONTENT-DISPOSITION: form-data; filename="a"; name="file"\r\n\r\nbytes\r\n--x y--\r\n'
    assert multipart_files(body, 'multipart/form-data; boundary="x y"') == [b"bytes"]


def test_line_breaks_inside_a_part_are_kept() -> None:
    content = b"\r\n--a-bound\r\n\r\n--" + bytes(range(256))
    assert multipart_files(form([("file", content)]), MULTIPART) == [content]


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary="])
def test_form_without_a_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(BodyError, match="no boundary"):
        read(form([("file", b"x")]), content_type)


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        ([("image", b"x"), ("FILE", b"y")], "image, FILE"),
        ([("", b"x")], r"\(no name\)"),
        ([], "none"),
    ],
)
def test_form_without_a_file_is_refused_with_the_parts_found(parts: list[tuple[str, bytes]], found: str) -> None:
    with pytest.raises(BodyError, match=f"no part is named 'file'; parts found: {found}; with curl"):
        read(form(parts), MULTIPART)


def test_part_without_headers_is_no_file() -> None:
    with pytest.raises(BodyError):
        read(f"--{BOUNDARY}\r\n\r\nx\r\n--{BOUNDARY}--\r\n".encode(), MULTIPART)


@pytest.mark.parametrize(
    "body",
    [
        b"nothing of the kind",
        form([("file", b"x")], boundary="another"),
        b"--a-boundaryX\r\n",
        b"--a-boundary\r\nno header at all\r\n\r\nx\r\n--a-boundary--\r\n",
        b"--a-boundary\r\n" + b"Header: x\r\n" * 10_000,
        b"--a-boundary\r\n" + b"H" * 100_000,
    ],
)
def test_body_that_is_no_form_is_refused(body: bytes) -> None:
    with pytest.raises(BodyError, match="not multipart/form-data"):
        read(body, MULTIPART)


def test_boundary_of_absurd_length_is_refused() -> None:
    with pytest.raises(BodyError, match="not multipart/form-data"):
        read(b"x", f"multipart/form-data; boundary={'b' * 5000}")


def test_form_that_ends_early_is_refused_not_read_in_part(digits: Gray) -> None:
    body = images_form(digits[:2])
    last_boundary = body.rindex(f"--{BOUNDARY}--".encode())
    for length in range(1, last_boundary, 5):
        with pytest.raises(InputError):
            read(body[:length], MULTIPART)


def test_too_many_files_are_refused(digits: Gray) -> None:
    with pytest.raises(TooLargeError, match="20 images in one request, the limit is 19"):
        read(images_form(digits), MULTIPART, UploadLimits(19, MAX_PIXELS))


# JSON


@pytest.mark.parametrize("shape", [(20, 28, 28), (20, 784)])
def test_nested_numbers_are_read_in_both_shapes(digits: Gray, shape: tuple[int, ...]) -> None:
    np.testing.assert_array_equal(read(images_json(digits.reshape(shape)), JSON), digits)


def test_fractions_are_rounded() -> None:
    assert read(images_json(np.full((28, 28), 1.5)), JSON)[0, 0, 0] == 2
    assert read(images_json(np.full((28, 28), 254.6)), JSON)[0, 0, 0] == 255


def test_black_and_white_of_zeros_and_ones_is_read() -> None:
    assert read(images_json(np.eye(28)), JSON).sum() == 28


def nested(value: Any, depth: int) -> Any:
    for _ in range(depth):
        value = [value]
    return value


def square(value: Any) -> list[list[Any]]:
    """Return an image of zeros but for one value."""
    rows: list[list[Any]] = [[0] * 28 for _ in range(28)]
    rows[3][4] = value
    return rows


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([[0] * 28] * 27 + [[0] * 27], "ragged"),
        ([[[0] * 28] * 28, [[0] * 28] * 27], "ragged"),
        ([[0] * 28] * 27 + [7], "ragged"),
        (square("7"), "must hold numbers"),
        (square(None), "must hold numbers"),
        (square({}), "must hold numbers"),
        ([[True] * 28] * 28, "must hold numbers"),
        ([], "must hold numbers"),
        ([[]], "must hold numbers"),
        ([[[]] * 28], "must hold numbers"),
        (square(256), "numbers from 0 to 256, expected 0 to 255"),
        (square(-1), "numbers from -1 to 0, expected 0 to 255"),
        (square(255.4), "expected 0 to 255"),
        (square(10**15), "expected 0 to 255"),
        (square(2**64 - 1), "expected 0 to 255"),
        (square(10**40), "expected 0 to 255"),
        (square(-(10**40)), "expected 0 to 255"),
        (square(0.5), "scaled to 0 to 1 .its largest number is 0.5"),
        ([0] * 784, r"shape \(784,\), expected \(28, 28\), \(n, 28, 28\) or \(n, 784\)"),
        ([[0] * 29] * 28, r"shape \(28, 29\)"),
        ([[[0] * 784] * 2], r"shape \(1, 2, 784\)"),
        ([[[[0] * 28] * 28]], r"shape \(1, 1, 28, 28\)"),
        (nested(1, 60), r"shape \(1, 1"),
        (nested(1, 500), "`images`"),
    ],
)
def test_json_that_holds_no_images_is_refused(images: Any, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        read(images_json(images), JSON)


def test_booleans_among_numbers_are_refused() -> None:
    with pytest.raises(ImageError, match="must hold numbers"):
        read(images_json(square(True)), JSON)


def test_long_string_among_numbers_does_not_fill_the_memory() -> None:
    body = images_json(square("x" * 30_000))  # as an array of strings: 784 times 30,000 characters of 4 bytes
    tracemalloc.start()
    try:
        with pytest.raises(ImageError, match="must hold numbers"):
            read(body, JSON)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"not JSON",
        b"\xff\xfe",
        b'{"images": [[NaN]]}',
        b'{"images": [[Infinity]]}',
        b'{"images": [[1e999]]}',
        b'{"images":' + b"[" * 5000 + b"]" * 5000 + b"}",
        b"[[0]]",
        b"null",
        b"{}",
        b'{"images": null}',
        b'{"images": "0"}',
        b'{"images": {"0": []}}',
        b'{"image": [[0]]}',
    ],
)
def test_json_of_another_form_is_refused(body: bytes) -> None:
    with pytest.raises(BodyError, match=r"is not JSON|expected"):
        read(body, JSON)


def test_json_of_too_many_images_is_refused() -> None:
    body = images_json(np.zeros((101, 784), np.uint8))
    with pytest.raises(TooLargeError, match="101 images in one request, the limit is 100"):
        read(body, JSON)


# raw bytes and .npy


def test_raw_bytes_are_images_one_after_another(digits: Gray) -> None:
    np.testing.assert_array_equal(read(digits.tobytes(), RAW), digits)


@pytest.mark.parametrize("length", [1, 783, 785, 2 * 784 + 1])
def test_raw_bytes_that_are_no_whole_images_are_refused(length: int) -> None:
    with pytest.raises(ImageError, match=f"{length} bytes long, expected a multiple of 784"):
        read(bytes(length), RAW)


@pytest.mark.parametrize(
    ("content_type", "encode"),
    [(RAW, lambda images: images.tobytes()), (NPY, npy_file)],
)
def test_too_many_images_in_one_array_are_refused(content_type: str, encode: Callable[[Gray], bytes]) -> None:
    images = np.zeros((101, 28, 28), np.uint8)
    assert len(read(encode(images[:100]), content_type)) == 100
    with pytest.raises(TooLargeError, match="101 images in one request, the limit is 100"):
        read(encode(images), content_type)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("shape", [(20, 28, 28), (20, 784)])
def test_npy_of_every_version_is_read(digits: Gray, version: tuple[int, int], shape: tuple[int, ...]) -> None:
    np.testing.assert_array_equal(read(npy_file(digits.reshape(shape), version), NPY), digits)


def test_npy_in_fortran_order_is_read(digits: Gray) -> None:
    body = npy_file(np.asfortranarray(digits))
    assert b"'fortran_order': True" in body
    images = read(body, NPY)
    np.testing.assert_array_equal(images, digits)
    assert images.flags.c_contiguous


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int64, np.float32, np.float64, np.bool_, np.str_])
def test_npy_of_another_dtype_is_refused(dtype: type[Any]) -> None:
    with pytest.raises(ImageError, match="expected uint8"):
        read(npy_file(np.zeros((28, 28), dtype)), NPY)


def test_npy_of_pickled_objects_is_refused_unpickled() -> None:
    body = npy_file(np.array([[print] * 28] * 28, object))
    with pytest.raises(ImageError, match="the array is object, expected uint8"):
        read(body, NPY)


@pytest.mark.parametrize("shape", [(), (784,), (28, 29), (1, 1, 28, 28), (2, 28, 14, 2), (0, 28, 28), (0,)])
def test_npy_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match=r"expected \(28, 28\), \(n, 28, 28\) or \(n, 784\)|holds no image"):
        read(npy_file(np.zeros(shape, np.uint8)), NPY)


@pytest.mark.parametrize(
    "shape",
    [
        (10**12, 28, 28),
        (10**30, 28, 28),
        (2, 28, 28),
        (0, 28, 28),
        (-28, -28),
        (-1, 784),
        (0, 10**30),
        (1,) * 70 + (784,),
    ],
)
def test_npy_whose_header_claims_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError):
        read(npy_claiming(shape, b"" if shape == (0, 10**30) else bytes(784)), NPY)


@pytest.mark.parametrize(
    "body",
    [
        b"not a .npy file",
        b"\x93NUMPY",
        b"\x93NUMPY\x09\x00" + bytes(100),
        npy_claiming("(28, 28)", bytes(784)),
        npy_claiming((28.0, 28), bytes(784)),
        npy_claiming((28, 28), bytes(784), descr="nonsense"),
        b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535,
        npy_file(GRADIENT)[:60],
        npy_file(GRADIENT)[:-1],
        npy_file(GRADIENT) + b"x",
    ],
)
def test_npy_that_is_damaged_is_refused(body: bytes) -> None:
    with pytest.raises(BodyError, match=r"\.npy file"):
        read(body, NPY)


def test_npy_with_a_truncated_end_is_refused_at_any_length() -> None:
    body = npy_file(GRADIENT)
    for length in range(1, len(body)):
        with pytest.raises(BodyError):
            read(body[:length], NPY)
