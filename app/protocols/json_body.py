"""JSON bodies with tensors: parsed as a whole if small, else around their large array of numbers, which stays bytes.

A parser makes an object of each list and number, which would take many times the memory of a large body, and holds up
the event loop meanwhile. So the array is parsed apart, in pieces (`app.bodies.json_array`).
"""

import json
import re
import secrets
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from app.bodies import byte_pieces
from app.bodies.json_array import MAX_AXES, check_text, parsed_pieces, regular_shape
from app.errors import BodyError
from app.protocols.pixels import to_levels
from inkling.errors import ImageError

SMALL_BYTES = 64 << 10
"""A body up to this size is parsed as a whole, in the event loop; a larger one should be parsed in a thread."""
MAX_ITEMS = 400_000
"""Lists, objects and values of a body beside its one large array: 500 images as lists in objects, 25 MB."""

MAX_HEAD_BYTES = 1 << 20
"""In which the large array begins; a search holds up all threads."""

_PLACE = f"array-{secrets.token_hex(8)}"
"""Stands in the document for the array; nobody can send it."""
_TEXT_ENDS = (b'"', b"}")
"""What comes first after an array of numbers that is a value in an object."""
_BOM = b"\xef\xbb\xbf"


class _ArrayText(NamedTuple):
    text: bytes
    shape: tuple[int, ...]


class JsonBody:
    """A document, in which one array may be kept as bytes.

    Args:
        body: the bytes.
        key: the name whose value is a large array of numbers in an ordinary large body; or a pattern of what is before
            it.
        ignores_rest: whether text may follow the document.

    Raises:
        BodyError: it is not JSON in UTF-8, is nested too deeply, or too large to be parsed and not such a body.
    """

    def __init__(self, body: bytes, key: str | re.Pattern[bytes], *, ignores_rest: bool = False) -> None:
        self._array: _ArrayText | None = None
        self.size = len(body)
        """Of the body, in bytes."""
        if len(body) > SMALL_BYTES:
            body = self._without_array(body, _before(key) if isinstance(key, str) else key)
        self.document = parse(body, ignores_rest=ignores_rest)

    def keeps(self, value: Any) -> bool:
        """Return whether a value of the document is the array that is kept as bytes."""
        return self._array is not None and value == _PLACE

    def levels(self, value: Any, *, is_unit: bool | None) -> tuple[NDArray[np.uint8], tuple[int, ...]]:
        """Return the gray levels (n,) of nested lists of numbers in the document, and their shape.

        Args:
            value: the lists, as the document has them.
            is_unit: whether their scale is 0 to 1, and not 0 to 255; None: it is if one of them is a float.

        Raises:
            ImageError: they are ragged, hold others than numbers, or numbers beyond their scale.
        """
        if self._array is not None and self.keeps(value):
            return self._array_levels(self._array, is_unit=is_unit), self._array.shape
        numbers, shape = _regular_leaves(value)
        return to_levels(numbers, is_unit=numbers.dtype.kind == "f" if is_unit is None else is_unit), shape

    def flat_levels(self, value: Any, *, is_unit: bool) -> NDArray[np.uint8]:
        """Return the gray levels (n,) of lists nested in any way; see `levels`."""
        if self._array is not None and self.keeps(value):
            return self._array_levels(self._array, is_unit=is_unit)
        return to_levels(_leaves(value), is_unit=is_unit)

    def _array_levels(self, array: _ArrayText, *, is_unit: bool | None) -> NDArray[np.uint8]:
        if is_unit is None:
            is_unit = byte_pieces.contains(array.text, b".", b"e", b"E")
        try:
            pieces = [to_levels(numbers, is_unit=is_unit) for numbers in parsed_pieces(array.text)]
        except ValueError as error:
            raise BodyError(f"the body is not JSON: {error}") from error
        return np.concatenate(pieces)

    def _without_array(self, body: bytes, before: re.Pattern[bytes]) -> bytes:
        """Return the body with the regular array that follows `before` replaced by _PLACE, if there is one."""
        opening = before.search(body, 0, MAX_HEAD_BYTES)
        if opening is None:
            return body
        start = opening.end()
        ends = [end for mark in _TEXT_ENDS if (end := byte_pieces.find(body, mark, start)) >= 0]
        text = body[start : min(ends, default=len(body))].rstrip(b" \t\r\n").removesuffix(b",")
        shape = regular_shape(text)
        if shape is None:
            return body
        self._array = _ArrayText(text, shape)
        return b"".join((body[:start], b'"', _PLACE.encode(), b'"', body[start + len(text) :]))


def _before(key: str) -> re.Pattern[bytes]:
    return re.compile(rb'(?<!\\)"%b"[ \t\r\n]*:[ \t\r\n]*(?=\[)' % key.encode())


def parse(body: bytes, *, ignores_rest: bool = False) -> Any:
    """Return a JSON document, NaN and infinities included, which tritonclient writes.

    Args:
        body: the bytes.
        ignores_rest: whether text may follow the document.

    Raises:
        BodyError: it is not JSON in UTF-8, nested too deeply, or too large.
    """
    if len(body) > SMALL_BYTES:
        items = sum([byte_pieces.count(body, mark) for mark in (b"[", b"{", b",")])
        if items > MAX_ITEMS:
            raise BodyError(
                f"the body holds {items} lists and values beside a regular array of numbers, the limit is {MAX_ITEMS}; "
                "send the images as one array, or fewer per request"
            )
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        check_text(body)
        if not (ignores_rest or b"NaN" in body or b"Infinity" in body or body.startswith(_BOM)):
            raise BodyError(f"the body is not JSON: {error}") from error
    try:
        text = body.decode("utf-8-sig")  # never of bytes: it would take UTF-16, too
        document = json.JSONDecoder().raw_decode(text.lstrip())[0] if ignores_rest else json.loads(text)
        _require_unicode(document, text)
        return document
    except RecursionError as error:
        raise BodyError("the body is not JSON of a call: it is nested too deeply") from error
    except ValueError as error:  # JSONDecodeError, UnicodeDecodeError, or a number of more than 4,300 digits
        raise BodyError(f"the body is not JSON: {error}") from error


def _require_unicode(document: Any, text: str) -> None:
    """Raise BodyError if a text in a document has half a pair of surrogates, which orjson refuses, and json takes."""
    if "\\u" not in text:
        return
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise BodyError("the body is not JSON in Unicode: it escapes one half of a surrogate pair") from error


def _leaves(value: Any) -> NDArray[Any]:
    """Return the numbers in lists nested in any way (n,).

    Raises:
        ImageError: they are others than numbers, or no lists.
    """
    _require_list(value)
    for _ in range(MAX_AXES):
        if list not in set(map(type, value)):
            return _numbers(value)
        value = list(chain.from_iterable(item if type(item) is list else (item,) for item in value))
    raise ImageError(_TOO_DEEP)


def _regular_leaves(value: Any) -> tuple[NDArray[Any], tuple[int, ...]]:
    """Return the numbers in regularly nested lists (n,), and their shape. NumPy would take ten times as long.

    Raises:
        ImageError: the lists differ in length, or as `_leaves`.
    """
    _require_list(value)
    shape = [len(value)]
    while value and type(value[0]) is list:
        if len(shape) >= MAX_AXES:
            raise ImageError(_TOO_DEEP)
        if set(map(type, value)) != {list} or len(set(map(len, value))) != 1:
            raise ImageError("`images` is ragged: its rows differ in length")
        shape.append(len(value[0]))
        value = list(chain.from_iterable(value))
    return _numbers(value), tuple(shape)


def _require_list(value: Any) -> None:
    if not isinstance(value, list):
        raise ImageError(f"`images` is {_kind(value)}, expected nested lists of numbers")


def _numbers(leaves: list[Any]) -> NDArray[Any]:
    types = set(map(type, leaves))
    if not types <= {int, float}:  # NumPy takes "0" and true for numbers
        others = sorted(_KINDS.get(kind, kind.__name__) for kind in types - {int, float})
        raise ImageError(f"`images` holds {', '.join(others)}, expected numbers and nothing else")
    return np.array(leaves) if leaves else np.zeros(0, np.uint8)


_TOO_DEEP = f"`images` is nested in more than {MAX_AXES} lists, expected at most 4"
_KINDS = {str: "text", bool: "true or false", type(None): "null", dict: "objects", list: "lists among numbers"}


def _kind(value: Any) -> str:
    return {str: "text", bool: "true or false", type(None): "missing", dict: "an object"}.get(type(value), "a number")
