import numpy as np
import pytest

from app.bodies import byte_pieces


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(byte_pieces, "PIECE_BYTES", 3)


def test_text_in_pieces_is_translated_as_a_whole() -> None:
    table = bytes.maketrans(b"ab", b"01")
    assert byte_pieces.translate(b"abcabcab-b", table, b"c") == b"010101-1"
    assert byte_pieces.translate(b"", table, b"c") == b""


def test_pattern_is_found_where_a_search_of_the_whole_text_finds_it() -> None:
    rng = np.random.default_rng(1)
    for _ in range(2000):
        text = bytes(rng.choice([97, 98], rng.integers(40)).tolist())
        pattern = bytes(rng.choice([97, 98], rng.integers(1, 6)).tolist())
        start = int(rng.integers(10))
        assert byte_pieces.find(text, pattern, start) == text.find(pattern, start)
        assert byte_pieces.contains(text, b"c", pattern) == (pattern in text)


def test_pattern_is_counted_as_in_the_whole_text() -> None:
    rng = np.random.default_rng(2)
    for _ in range(2000):
        text = bytes(rng.choice([97, 98], rng.integers(40)).tolist())
        start = int(rng.integers(10))
        for pattern in (b"a", b"ab", b"aab", b"abbb"):
            assert byte_pieces.count(text, pattern, start) == text.count(pattern, start)


def test_two_stretches_are_equal_as_in_the_whole_text() -> None:
    rng = np.random.default_rng(3)
    for _ in range(2000):
        text = bytes(rng.choice([97, 98], 20).tolist()) * 2
        first, second, length = (int(rng.integers(20)) for _ in range(3))
        expected = text[first : first + length] == text[second : second + length]
        assert byte_pieces.equal(text, first, second, length) == expected
