"""The shape of nested lists in JSON, found without parsing them."""

import itertools
import json

import numpy as np
import pytest

from app.bodies import byte_pieces
from app.bodies.json_array import MAX_AXES, parsed_pieces, regular_shape


def found_shape(text: bytes) -> tuple[int, ...] | None:
    """Return the shape of a text whose numbers can be read, too."""
    shape = regular_shape(text)
    if shape is None:
        return None
    try:
        numbers = np.concatenate(list(parsed_pieces(text)))
    except ValueError:
        return None
    assert numbers.size == np.prod(shape)
    return shape


def parsed_shape(text: bytes) -> tuple[int, ...] | None:
    """Return the shape as NumPy sees it once the text is parsed; None if it is no regular array of numbers."""
    try:
        array = np.array(json.loads(text))
    except ValueError:
        return None
    return array.shape if array.ndim and array.size and array.dtype.kind == "i" else None


@pytest.mark.parametrize("length", range(1, 9))
def test_shape_of_every_short_text_is_that_of_its_array(length: int) -> None:
    for marks in itertools.product(b"[],0", repeat=length):
        text = bytes(marks)
        assert found_shape(text) == parsed_shape(text), text


def test_shape_of_longer_lists_is_that_of_their_array(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(byte_pieces, "PIECE_BYTES", 7)
    rng = np.random.default_rng(1)
    regular = 0
    for _ in range(3000):
        shape = tuple(rng.integers(1, 4, rng.integers(1, MAX_AXES)).tolist())
        text = bytearray(json.dumps(np.zeros(shape, np.int64).tolist(), separators=(",", ":")).encode())
        for _ in range(rng.integers(3)):
            text[rng.integers(len(text))] = rng.choice(list(b"[],0"))
        expected = parsed_shape(bytes(text))
        regular += expected is not None
        assert found_shape(bytes(text)) == expected, text
    assert regular > 500
