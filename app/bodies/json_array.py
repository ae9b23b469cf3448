"""Request bodies of JSON -> arrays: `{"images": [...]}`, in little more memory than the body has.

A JSON parser makes an object of each list and each number: 16 MB of `[[],[],...` would take 700 MB. So the brackets and
commas are compared with those of a regular array, as bytes, and only then are the numbers parsed, a piece at a time.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from app.bodies.arrays import GrayLevels
from app.bodies.byte_pieces import contains, count, equal, find, translate
from app.bodies.small_integers import small_integers
from app.bodies.unknown_fields import refuse_unknown
from app.errors import BodyError
from inkling.errors import ImageError
from inkling.file_kinds import file_kind

PIECE_BYTES = 64 << 10
"""Numbers that are parsed at a time; each takes some 40 bytes as an object."""
MAX_AXES = 8
MAX_IRREGULAR_BYTES = 1 << 20
"""Largest body that is parsed as a whole, only to say what is wrong with it."""
MAX_IRREGULAR_ITEMS = 100_000
"""Most lists, objects and numbers in it."""

EXPECTED = (
    'expected {"images": [...]}: nested numbers 0 to 255, (28, 28), (n, 28, 28) or (n, 784); '
    "or image files, data:image/png;base64,..."
)
_ONLY_NUMBERS = "`images` must hold numbers 0 to 255, and nothing else; or data: URIs, and nothing else"
_SPACE = b" \t\r\n"
_COMMA = ord(",")
_NUMBER = b"0123456789+-.eE"
_NUMBER_AS_0 = bytes.maketrans(_NUMBER, b"0" * len(_NUMBER))
_OPENING = re.compile(rb'[ \t\r\n]*\{[ \t\r\n]*"images"[ \t\r\n]*:[ \t\r\n]*(?=\[)')
_UTF8_BOM = b"\xef\xbb\xbf"


def json_levels(body: bytes) -> NDArray[np.uint8]:
    """Return the gray levels, of any shape but never empty, of `{"images": [...]}`.

    Raises:
        BodyError: not JSON, or not of this form.
        FieldError: it has an unknown field.
        ImageError: ragged, not all numbers, or not 0 to 255.
    """
    body = body.removeprefix(_UTF8_BOM)
    levels = _regular_levels(body)
    return _irregular_levels(body) if levels is None else levels


def _regular_levels(body: bytes) -> NDArray[np.uint8] | None:
    """Return the gray levels of a body that holds a regular array of numbers and nothing else; None for any other."""
    opening = _OPENING.match(body)
    end = len(body.rstrip(_SPACE)) - 1
    if opening is None or body[end : end + 1] != b"}":
        return None
    text = body[opening.end() : end]
    shape = regular_shape(text)
    if shape is None:
        return None
    levels = GrayLevels("`images`")
    try:
        for numbers in parsed_pieces(text):
            levels.add(numbers if numbers.dtype.kind in "iu" else numbers.astype(np.float64))
    except ValueError:
        return None
    return levels.to_array().reshape(shape)


def regular_shape(text: bytes) -> tuple[int, ...] | None:
    """Return the shape of JSON's nested lists of numbers; None if they are ragged, empty, malformed or hold others."""
    if translate(text, None, _NUMBER + _SPACE + b"[],"):
        return None
    marks = translate(text, _NUMBER_AS_0, _SPACE)
    if contains(marks, b"0[", b"]0", b"[]"):
        return None
    brackets = translate(text, None, _SPACE + _NUMBER)
    opening = brackets[: MAX_AXES + 1]
    axes = len(opening) - len(opening.lstrip(b"["))
    if not 1 <= axes <= MAX_AXES:
        return None
    shape: list[int] = []
    start, length = axes, 0  # of the first number, which was taken out; then of the first list in a list
    for depth in range(1, axes + 1):
        closing = find(brackets, b"]" * depth, start)
        content = closing + depth - 1 - start  # the bytes between the brackets of a list
        items, rest = divmod(content + 1, length + 1)
        is_alike = closing >= 0 and not rest and equal(brackets, start, start + length + 1, content - length - 1)
        if not is_alike or (items > 1 and brackets[start + length] != _COMMA):
            return None
        shape.insert(0, items)
        start, length = start - 1, content + 2
    return tuple(shape) if length == len(brackets) else None


def parsed_pieces(text: bytes) -> Iterator[NDArray[Any]]:
    """Yield the numbers in nested lists that have a regular shape, in pieces, as integers or floats.

    Raises:
        ValueError: some are no numbers of JSON.
    """
    for piece in _pieces(translate(text, None, b"[]")):
        if len(piece) > 2 * PIECE_BYTES:
            raise ValueError("a number has no end")
        integers = small_integers(piece)
        yield np.array(orjson.loads(b"[" + piece + b"]")) if integers is None else integers


def _pieces(numbers: bytes) -> Iterator[bytes]:
    """Yield comma-separated numbers in pieces of about PIECE_BYTES."""
    start = 0
    while (end := numbers.find(b",", start + PIECE_BYTES)) >= 0:
        yield numbers[start:end]
        start = end + 1
    yield numbers[start:]


def _irregular_levels(body: bytes) -> NDArray[np.uint8]:
    """Parse a small body of any form: nearly always to say what is wrong with it."""
    check_text(body)
    items = sum(count(body, mark) for mark in (b"[", b"{", b",", b":"))
    if len(body) > MAX_IRREGULAR_BYTES or items > MAX_IRREGULAR_ITEMS:
        raise ImageError(
            f"the body ({len(body)} bytes, {items} lists and values) is not a regular array of numbers in "
            '{"images": [...]}: its rows differ in length, or it holds something else; beyond '
            f"{MAX_IRREGULAR_BYTES} bytes or {MAX_IRREGULAR_ITEMS} values it is not searched for where"
        )
    images = _parsed_images(body)
    if not _leaf_types(images) <= {int, float}:
        raise ImageError(_ONLY_NUMBERS)
    try:
        array = np.asarray(images)
    except ValueError as error:
        raise ImageError("`images` is ragged: its rows differ in length") from error
    if not array.size:
        raise ImageError(_ONLY_NUMBERS)
    levels = GrayLevels("`images`")
    levels.add(array)
    return levels.to_array().reshape(array.shape)


def check_text(body: bytes) -> None:
    """Raise BodyError if a body of JSON is a file, or text in another encoding than UTF-8."""
    if kind := file_kind(body):
        raise BodyError(f"the body is not JSON but {kind}; send it with its own Content-Type")
    if body.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in body[:4]:
        raise BodyError("the body is not JSON in UTF-8 but in UTF-16 or UTF-32; send UTF-8 (RFC 8259)")


def _parsed_images(body: bytes) -> list[Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BodyError(f"the body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise BodyError(EXPECTED)
    refuse_unknown(document, ("images",), "field of the body")
    _check_repeated(body)
    if not isinstance(document.get("images"), list):
        raise BodyError(EXPECTED)
    images: list[Any] = document["images"]
    return images


def _check_repeated(body: bytes) -> None:
    """Refuse a key that comes twice: parsers differ in which of them counts."""

    def check(pairs: list[tuple[str, Any]]) -> None:
        counts = Counter(key for key, _ in pairs)
        for key, times in counts.most_common(1):
            if times > 1:
                raise BodyError(f"the key `{key[:100]}` comes {times} times in an object of the body; send it once")

    try:
        json.loads(body, object_pairs_hook=check, parse_int=float)
    except RecursionError as error:
        raise BodyError("the body is nested too deeply") from error


def _leaf_types(nested: list[Any]) -> set[type]:
    """Return the types of the leaves of nested lists.

    They are checked first, because NumPy would allocate an array of the longest string.
    """
    types: set[type] = set()
    while nested:
        here = set(map(type, nested))
        types |= here - {list}
        nested = list(chain.from_iterable(item for item in nested if type(item) is list)) if list in here else []
    return types
