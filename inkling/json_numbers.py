"""The types of numbers in JSON: neither a boolean nor a word is one, though Python and Pydantic take both."""

from typing import Annotated, Any

from pydantic import BeforeValidator


def _require_number(value: Any) -> Any:
    """Return the value, unless it is a boolean or a word.

    Raises:
        ValueError: it is.
    """
    if isinstance(value, bool | str | bytes):
        raise ValueError(
            f"Input should be a valid number, not {'a boolean' if isinstance(value, bool) else 'a string'}"
        )
    return value


Integer = Annotated[int, BeforeValidator(_require_number)]
"""1 and 1.0, which JSON does not distinguish; not true, not "1"."""
Number = Annotated[float, BeforeValidator(_require_number)]
"""1 and 0.5; not true, not "0.5"."""
