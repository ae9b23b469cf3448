"""The refusal of fields that nobody reads: an error that names the field, and what was probably meant."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from app.errors import FieldError

QUERY_PARAMETERS = ("fit", "none", "return_image", "digit")
"""Of the calls that read images; often sent as fields of the body."""


def refuse_unknown(names: Iterable[str], known: Sequence[str], kind: str) -> None:
    """Raise FieldError if one of the names is not known.

    Args:
        names: as they were sent.
        known: the names that are read.
        kind: of the field, in words, such as "form field".
    """
    for name in names:
        if name not in known:
            raise FieldError(f"unknown {kind} `{name[:100]}`; {_advice(name, known)}")


def _advice(name: str, known: Sequence[str]) -> str:
    lowered = name[:100].strip().lower().replace("-", "_")
    if near := get_close_matches(lowered, QUERY_PARAMETERS, 1, 0.8):
        return f"`{near[0]}` is a parameter of the query: send it in the URL, as in ?{near[0]}=..."
    nearest = get_close_matches(lowered, known, 1, 0.5)
    return f"did you mean `{nearest[0]}`?" if nearest else f"expected {', '.join(f'`{name}`' for name in known)}"
