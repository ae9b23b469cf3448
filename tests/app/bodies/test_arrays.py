import contextlib
import gzip
import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from app.bodies.json_array import json_levels
from app.errors import BodyError, FieldError
from inkling.digit import Gray
from inkling.errors import ImageError, InputError, TooLargeError
from tests.support.bodies import (
    GRADIENT,
    JSON,
    LIMITS,
    NPY,
    PNG,
    RAW,
    image_file,
    images_json,
    npy_claiming,
    npy_file,
    read,
    read_pictures,
)

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
        ([1] * 784, r"shape \(784,\), expected \(28, 28\), \(n, 28, 28\) or \(n, 784\)"),
        ([[0] * 29] * 28, r"shape \(28, 29\)"),
        ([[[0] * 784] * 2], r"shape \(1, 2, 784\)"),
        ([[[[0] * 28] * 28]], r"shape \(1, 1, 28, 28\), .* channels .1, 3 or 4. are the last axis"),
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
        b'{"images": {"0": []}}',
    ],
)
def test_json_of_another_form_is_refused(body: bytes) -> None:
    with pytest.raises(BodyError, match=r"is not JSON|expected"):
        read(body, JSON)


def test_json_of_too_many_images_is_refused() -> None:
    body = images_json(np.zeros((101, 784), np.uint8))
    with pytest.raises(TooLargeError, match="101 images in one request, the limit is 100"):
        read(body, JSON)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"image": [[0]]}', "unknown field of the body `image`; did you mean `images`"),
        (b'{"images": [[0]], "fit": "mnist"}', "`fit` is a parameter of the query: send it in the URL"),
        (b'{"images": [[0]], "Fit": "mnist"}', "`fit` is a parameter of the query"),
        (b'{"inputs": [[0]]}', "unknown field of the body `inputs`; "),
        (b'{"x": 1}', "expected `images`"),
    ],
)
def test_field_that_nobody_reads_is_refused_with_its_nearest_name(body: bytes, message: str) -> None:
    with pytest.raises(FieldError, match=message):
        read(body, JSON)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"images": [[0]], "images": [[1]]}', "the key `images` comes 2 times"),
        (b'{"images": [{"a": 1, "a": 2}]}', "the key `a` comes 2 times"),
        ('{"images": [[0]]}'.encode("utf-16"), "UTF-16"),
        ('{"images": [[0]]}'.encode("utf-16-be"), "UTF-16"),
        ('{"images": [[0]]}'.encode("utf-32"), "UTF-16 or UTF-32"),
        (b'{"images": [[1 2]]}', "not JSON"),
        (b'{"images": [[1][2]]}', "not JSON"),
        (b'{"images": [1[2]3]}', "not JSON"),
        (b'{"images": [[1,,2]]}', "not JSON"),
        (b'{"images": [[1,2,]]}', "not JSON"),
        (b'{"images": [[,1]]}', "not JSON"),
        (b'{"images": [[01]]}', "not JSON"),
        (b'{"images": [[1e]]}', "not JSON"),
        (b'{"images": [[-]]}', "not JSON"),
        (b'{"images": [[1]]}}', "not JSON"),
        (b'{"images": [[1]]}]', "not JSON"),
        (b'{"images": [[[1],2]]', "not JSON"),
        (b'{"images": ]1[}', "not JSON"),
        (b'{"images": [' + b"[" * 2000 + b"]" * 2000 + b"]}", "not JSON"),
    ],
)
def test_json_that_parsers_read_differently_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(BodyError, match=message):
        read(body, JSON)


@pytest.mark.parametrize(
    "open_", [b'{"images":', b'\r\n {\t"images" :\n ', b'{"\\u0069mages":', b"\xef\xbb\xbf" + b'{"images":']
)
def test_json_is_read_however_it_is_written(digits: Gray, open_: bytes) -> None:
    text = json.dumps(digits[:2].tolist(), indent=1).encode()
    np.testing.assert_array_equal(read(open_ + text + b" } \n", JSON), digits[:2])


@settings(database=None, deadline=None, max_examples=300)
@given(
    position=st.integers(0, 200),
    removed=st.integers(0, 3),
    inserted=st.sampled_from(
        [b"", b"[", b"]", b",", b"1", b" ", b"-", b"e", b".", b"\n", b"[]", b"],[", b"true", b'"']
    ),
)
def test_damaged_json_is_read_as_by_a_parser(position: int, removed: int, inserted: bytes) -> None:
    whole = b'{"images": [[[1, 2], [3, 4.5]], [[5, 6], [7, 255]]]}'
    position %= len(whole)
    body = whole[:position] + inserted + whole[position + removed :]
    try:
        with np.errstate(invalid="ignore"):  # 5e99 is no uint8: it must be refused
            parsed = np.rint(np.array(json.loads(body)["images"], float)).astype(np.uint8)
    except (ValueError, KeyError, TypeError):
        with pytest.raises(InputError):
            json_levels(body)
        return
    try:
        np.testing.assert_array_equal(json_levels(body), parsed)
    except InputError as error:
        assert "true" in body.decode() or not parsed.size or error  # noqa: PT017


@pytest.mark.parametrize(
    "body",
    [
        b'{"images":[' + b"[]," * 1_300_000 + b"[]]}",
        b'{"images":[' + b"[0]," * 1_000_000 + b"[0]]}",
        b'{"images":[[' + b"0," * 2_000_000 + b"0]]}",
        b'{"images":[[' + b"0.5," * 1_000_000 + b"0]]}",
        b'{"images":[' + b"{}," * 1_300_000 + b"{}]}",
        b'{"images":[' + b'"",' * 1_300_000 + b'""]}',
        b'{"images":[[[1]],' + b"[]," * 1_300_000 + b"[]]}",
        b"[" * 4_000_000,
        b'{"images":"' + b"\xf0\x9f\x98\x80" * 1_000_000 + b'"}',
    ],
)
def test_json_takes_few_times_its_own_memory(body: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(InputError):
            read(body, JSON)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5 * len(body) + (4 << 20)


# channels


@pytest.mark.parametrize("encode", [images_json, npy_file])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_last_axis_of_1_3_or_4_is_of_channels(digits: Gray, encode: Callable[[Gray], bytes], channels: int) -> None:
    content_type = JSON if encode is images_json else NPY
    colored = np.repeat(digits[:5, :, :, np.newaxis], channels, axis=3)
    if channels == 4:
        colored[..., 3] = 255
    np.testing.assert_array_equal(read(encode(colored), content_type), digits[:5])
    np.testing.assert_array_equal(read(encode(colored[0]), content_type), digits[:1])
    pictures = list(read_pictures(encode(colored[:, :20]), content_type, LIMITS))
    np.testing.assert_array_equal(pictures, digits[:5, :20])
    (picture,) = read_pictures(encode(colored[0, :20]), content_type, LIMITS)
    np.testing.assert_array_equal(picture, digits[0, :20])


def test_colors_of_an_array_become_gray_as_those_of_a_file() -> None:
    colors = np.random.default_rng(1).integers(0, 256, (28, 28, 4)).astype(np.uint8)
    np.testing.assert_array_equal(read(npy_file(colors), NPY), read(image_file(Image.fromarray(colors)), PNG))
    np.testing.assert_array_equal(
        read(npy_file(colors[..., :3]), NPY), read(image_file(Image.fromarray(colors[..., :3])), PNG)
    )


# raw bytes and .npy


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", "<i4", ">i4", "<i8", "<u2", ">u2", "<f2"])
def test_raw_bytes_of_wider_numbers_are_refused(digits: Gray, dtype: str) -> None:
    for images in (digits[:10], digits[:1]):
        name = np.dtype(dtype).name
        with pytest.raises(ImageError, match=f"look like {len(images)} images of {name} .* send uint8"):
            read(images.astype(dtype).tobytes(), RAW)
    if dtype[1] == "f":
        with pytest.raises(ImageError, match="look like 1 images of float"):
            read((digits[0] / 255).astype(dtype).tobytes(), RAW)


@pytest.mark.parametrize("channels", [3, 4])
def test_raw_bytes_of_colors_are_refused(digits: Gray, channels: int) -> None:
    colored = np.repeat(digits[:1, :, :, np.newaxis], channels, axis=3)
    colored[..., 3:] = 255
    with pytest.raises(ImageError, match="look like 1 images of RGB"):
        read(colored.tobytes(), RAW)


@pytest.mark.parametrize("count", [2, 3, 4, 6, 8, 12])
def test_raw_images_are_no_wider_numbers(digits: Gray, count: int) -> None:
    for images in (digits, 255 - digits, digits // 10, digits // 255, digits * 0, digits * 0 + 255):
        np.testing.assert_array_equal(read(images[:count].tobytes(), RAW), images[:count])


def test_raw_bytes_of_text_are_refused() -> None:
    with pytest.raises(ImageError, match=r"the body is text .784 characters.*send numbers as application/json"):
        read(b"0," * 392, RAW)


@pytest.mark.parametrize("content", [gzip.compress(b"x", mtime=0), b"\0\0\x08\x03" + bytes(12 + 784)])
def test_other_files_are_named_not_read_as_raw_bytes(content: bytes) -> None:
    with pytest.raises(ImageError, match=r"the body is (a gzip|an IDX) file.*, not raw pixels"):
        read(content, RAW)


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


@pytest.mark.parametrize("dtype", ["<u2", ">u2", "i4", "<i8", "f2", "<f4", ">f4", "f8", "g"])
def test_npy_of_other_numbers_is_read_if_they_are_0_to_255(digits: Gray, dtype: str) -> None:
    np.testing.assert_array_equal(read(npy_file(digits.astype(dtype)), NPY), digits)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((28, 28), np.bool_), r"is bool, expected uint8.*; convert it: .array \* 255.\.astype.np.uint8"),
        (np.zeros((28, 28), np.str_), "expected uint8, or numbers 0 to 255"),
        (np.zeros((28, 28), np.complex64), "complex64, expected uint8"),
        (np.zeros((28, 28), "M8[s]"), "expected uint8"),
        (np.zeros((28, 28), "u1,u1"), "expected uint8"),
        (np.linspace(0, 1, 784, dtype=np.float32), r"scaled to 0 to 1.*convert it: .array \* 255.\.round"),
        (np.linspace(-1, 1, 784), r"numbers from -1 to 1, .*convert it: ..array \+ 1. \* 127.5"),
        (np.arange(784), r"numbers from 0 to 783, expected 0 to 255; convert it: ..array - array.min"),
        (np.full(784, np.nan), "numbers from nan to nan, .*replace what is not finite"),
        (np.full(784, np.inf), "replace what is not finite"),
        (np.full(784, -1, np.int8), "numbers from -1 to -1"),
    ],
)
def test_npy_of_other_values_is_refused_with_their_conversion(array: NDArray[Any], message: str) -> None:
    with pytest.raises(ImageError, match=message):
        read(npy_file(array.reshape(28, 28)), NPY)


def test_npy_of_pickled_objects_is_refused_unpickled() -> None:
    body = npy_file(np.array([[print] * 28] * 28, object))
    with pytest.raises(ImageError, match="the array is object, expected uint8"):
        read(body, NPY)


@pytest.mark.parametrize(
    "shape", [(), (784,), (28, 29), (1, 1, 28, 28), (2, 28, 14, 2), (0, 28, 28), (0,), (28, 28, 2)]
)
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
        (True, 28, 28),
        (28, True, 28),
        (28, 28, False),
        (28.0, 28),
        ("28", 28),
        (None, 784),
        ((28, 28),),
        (2**63, 0),
        (2**64, 28, 28),
        (-(2**63), 28),
        (10**4000, 28),
        (1j, 784),
        [28, 28],
        {28: 28},
        784,
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


@settings(database=None, deadline=None, max_examples=500)
@given(
    shape=st.lists(
        st.sampled_from([0, 1, 3, 4, 28, 784, -1, -28, True, False, 28.0, None, "28", 2**31, 2**63, 2**64, 10**30]),
        max_size=6,
    ).map(tuple),
    descr=st.sampled_from(["|u1", "<u2", ">f4", "<f8", "|b1", "|O", "|V0", "|S0", "<U0", "<c8", "(2,)u1", "f16", ""]),
    length=st.sampled_from([0, 1, 783, 784, 785, 1568, 2352, 3136, 6272]),
)
def test_any_npy_header_is_read_or_refused(shape: Any, descr: str, length: int) -> None:
    body = npy_claiming(shape, bytes(length), descr)
    with contextlib.suppress(InputError):
        read(body, NPY)
    with contextlib.suppress(InputError):
        list(read_pictures(body, NPY, LIMITS))


def test_npy_with_a_truncated_end_is_refused_at_any_length() -> None:
    body = npy_file(GRADIENT)
    for length in range(1, len(body)):
        with pytest.raises(BodyError):
            read(body[:length], NPY)
