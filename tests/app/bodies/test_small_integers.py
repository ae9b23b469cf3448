"""Small integers in JSON, compared with what a parser of JSON reads."""

import itertools
import json

import numpy as np
import pytest

from app.bodies.small_integers import small_integers


def parsed(text: str) -> list[int] | None:
    """Return the numbers of a text, where all are integers up to 999 without a sign; None for any other."""
    try:
        numbers = json.loads(f"[{text}]")
    except ValueError:
        return None
    is_small = [isinstance(number, int) and 0 <= number <= 999 for number in numbers]
    return numbers if numbers and all(is_small) and "-" not in text else None


@pytest.mark.parametrize("length", range(1, 8))
def test_every_short_text_is_read_as_by_a_parser_or_left_to_it(length: int) -> None:
    read = 0
    for marks in itertools.product("01, -.", repeat=length):
        text = "".join(marks)
        found, expected = small_integers(text.encode()), parsed(text)
        if found is not None:
            assert found.tolist() == expected, text
            read += 1
        elif expected is not None:
            assert " " in f",{text}".replace(", ", ","), text  # white space elsewhere
    assert read > 0


@pytest.mark.parametrize("separator", [",", ", "])
def test_all_small_integers(separator: str) -> None:
    numbers = np.random.default_rng(1).permutation(1000).tolist()
    found = small_integers(separator.join(map(str, numbers)).encode())
    assert found is not None
    assert found.tolist() == numbers


@pytest.mark.parametrize(
    "text", ["", ",", "1,,2", "1000", "007", "00", "-1", "1.0", "1e2", "1 2", "1,\n2", "x", "٣", "1,"]
)
def test_other_texts_are_left_to_the_parser(text: str) -> None:
    assert small_integers(text.encode()) is None
