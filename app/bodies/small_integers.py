"""JSON's numbers 0 to 999, such as gray levels are, read by NumPy: a parser makes an object of each."""

import numpy as np
from numpy.typing import NDArray

_COMMA, _SPACE, _ZERO = np.frombuffer(b", 0", np.uint8)


def small_integers(text: bytes) -> NDArray[np.uint16] | None:
    """Return the integers (n,) of a text such as `0,17,255` or `0, 17, 255`; None for any other text.

    Others are longer numbers, signs, fractions, exponents, other white space, and what is no number of JSON: `007`.
    The number that ends at each byte is computed, and those before a comma are taken.
    """
    text = b",,,%b," % text
    marks = np.frombuffer(text, np.uint8)
    if b" " in text:
        if ((marks[1:] == _SPACE) & (marks[:-1] != _COMMA)).any():
            return None
        marks = np.frombuffer(text.translate(None, b" "), np.uint8)
    digits = marks - _ZERO  # more than 9 if it is none
    is_digit = digits <= 9
    here, before, twice_before, thrice_before = is_digit[3:-1], is_digit[2:-2], is_digit[1:-3], is_digit[:-4]
    after = is_digit[4:]
    if (
        np.count_nonzero(marks == _COMMA) + np.count_nonzero(is_digit) != len(marks)
        or not is_digit[-2]
        or not (here | before).all()  # nothing between two commas
        or (here & before & twice_before & thrice_before).any()
        or (after & ~before & (digits[3:-1] == 0)).any()
    ):
        return None
    digits *= is_digit
    hundreds = digits[1:-3] * before
    integers: NDArray[np.uint16] = digits[3:-1] + digits[2:-2] * np.uint16(10) + hundreds * np.uint16(100)
    return np.compress(here & ~after, integers)  # a third of the time of `integers[...]`
