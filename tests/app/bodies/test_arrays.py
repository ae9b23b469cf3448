import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from app.errors import BodyError
from inkling.digit import Gray
from inkling.errors import ImageError, InputError, TooLargeError
from tests.support.bodies import (
    GRADIENT,
    JSON,
    NPY,
    RAW,
    images_json,
    npy_claiming,
    npy_file,
    read,
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
