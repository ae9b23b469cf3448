import json

import numpy as np
import pytest

from app.errors import BodyError
from app.protocols.json_body import MAX_HEAD_BYTES, MAX_ITEMS, JsonBody, parse
from inkling.errors import ImageError


def levels_of(body: bytes) -> None:
    parsed = JsonBody(body, "data")
    parsed.levels(parsed.document["data"], is_unit=None)


RANDOM = np.random.default_rng(5)


@pytest.mark.parametrize("count", [1, 200], ids=["small", "large"])
@pytest.mark.parametrize("shape", [(784,), (28, 28), (28, 28, 1), (1, 28, 28)])
@pytest.mark.parametrize("is_unit", [False, True])
def test_levels_are_those_that_were_sent(count: int, shape: tuple[int, ...], is_unit: bool) -> None:
    levels = RANDOM.integers(0, 256, (count, *shape), np.uint8)
    numbers = (levels / 255).tolist() if is_unit else levels.tolist()
    body = JsonBody(json.dumps({"id": 'a "data":[', "data": numbers, "after": [1]}).encode(), "data")
    assert (body.document["id"], body.document["after"]) == ('a "data":[', [1])
    for scale in (is_unit, None):
        found, found_shape = body.levels(body.document["data"], is_unit=scale)
        assert found_shape == levels.shape
        assert np.array_equal(found.reshape(levels.shape), levels)
    assert np.array_equal(body.flat_levels(body.document["data"], is_unit=is_unit), levels.reshape(-1))


def test_large_array_is_not_parsed_into_objects() -> None:
    body = b'{"data":[' + b"[0]," * MAX_ITEMS + b"[0]]}"
    found = JsonBody(body, "data")
    assert found.levels(found.document["data"], is_unit=False)[1] == (MAX_ITEMS + 1, 1)
    late = JsonBody(b'{"text":"' + b" " * MAX_HEAD_BYTES + b'","data":[7]}', "data")
    assert late.document["data"] == [7]
    with pytest.raises(BodyError, match=r"400003 lists and values .* the limit is 400000"):
        JsonBody(b'{"other":[' + b"0," * MAX_ITEMS + b"[]]}", "data")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"{}x", "not JSON"),
        ("{}".encode("utf-16"), "UTF-16 or UTF-32"),
        ("{}".encode("utf-32"), "UTF-16 or UTF-32"),
        (b'{"a":"\xff"}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"NaN" + b"[" * 60_000, "not JSON"),
        (b'{"NaN":' + b"[" * 60_000, "nested too deeply"),
        (b'{"NaN":' + b"1" * 5000 + b"}", "not JSON"),
        (b"\x89PNG\r\n\x1a\n", "not JSON but a PNG"),
        (b'{"NaN":"\\ud800"}', "one half of a surrogate pair"),
        (b'{"\\udc00":NaN}', "one half of a surrogate pair"),
    ],
)
def test_what_is_no_json_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(BodyError, match=message):
        parse(body)


def test_nan_and_byte_order_mark_are_read() -> None:
    assert parse(b'{"a":NaN,"b":"\\ud83d\\ude00"}')["b"] == "\U0001f600"
    assert parse(b'\xef\xbb\xbf{"a":1}') == {"a": 1}
    assert np.isnan(parse(b'{"a":NaN}')["a"])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("[[1, 2], [3]]", "ragged"),
        ('["0"]', "holds text"),
        ("[true]", "holds true or false"),
        ("[null, {}]", "holds null, objects"),
        ("7", "is a number"),
        ('"x"', "is text"),
        ("null", "is missing"),
        ("[[[[[[[[[[1]]]]]]]]]]", "nested in more than 8 lists"),
        ("[256]", "numbers from 256 to 256, expected integers from 0 to 255"),
        ("[-1]", "numbers from -1 to -1"),
        ("[0.5, 1.5]", "from 0.5 to 1.5, expected floats from 0 to 1: divide by 255, or send UINT8"),
        ("[NaN]", "from nan to nan"),
        ("[1e999]", "from inf to inf|not JSON"),
        ("[123456789012345678901234567890]", "1.23457e\\+29"),
        ("[NaN, 123456789012345678901234567890]", "from nan to nan|64 bits"),
    ],
)
def test_what_is_no_tensor_is_refused(value: str, message: str) -> None:
    with pytest.raises((ImageError, BodyError), match=message):
        levels_of(f'{{"data": {value}}}'.encode())


@pytest.mark.parametrize("last", ["0.5.5", "1 2", "00", "1e", "256", "0.5"])
def test_numbers_of_large_arrays_are_checked_as_well(last: str) -> None:
    body = JsonBody(b'{"data":[' + b"0," * 40_000 + last.encode() + b"]}", "data")
    with pytest.raises((BodyError, ImageError)):
        body.flat_levels(body.document["data"], is_unit=False)


def test_place_of_the_array_cannot_be_sent() -> None:
    body = JsonBody(b'{"data":"array-0123456789abcdef"}', "data")
    with pytest.raises(ImageError, match="is text"):
        body.flat_levels(body.document["data"], is_unit=False)
