"""The Accept header: which media type a client prefers (RFC 9110, section 12.5.1)."""

from functools import lru_cache

CACHED_CHARACTERS = 256
"""Longer headers are weighed each time, so that clients cannot fill the memory."""


def quality(accept: str, *media_types: str) -> float:
    """Return the weight, 0 to 1, that an Accept header gives to the best of these media types; 0 if it names none.

    Only exact names count, no wildcards.
    """
    best = 0.0
    for item in accept.split(","):
        media_type, *parameters = (part.strip().lower() for part in item.split(";"))
        if media_type in media_types:
            best = max(best, next((_weight(p) for p in parameters if p.startswith("q=")), 1.0))
    return best


def prefers_over_json(accept: str, *media_types: str) -> bool:
    """Return whether an Accept header prefers one of these media types, by name, to JSON.

    By name only: clients that want JSON often send `*/*`, and so do scrapers behind the formats that they name.
    """
    if not accept:
        return False
    weigh = _prefers_over_json if len(accept) <= CACHED_CHARACTERS else _prefers_over_json.__wrapped__
    return weigh(accept, media_types)


@lru_cache(maxsize=256)
def _prefers_over_json(accept: str, media_types: tuple[str, ...]) -> bool:
    return quality(accept, *media_types) > quality(accept, "application/json")


def _weight(parameter: str) -> float:
    try:
        return float(parameter.removeprefix("q="))
    except ValueError:
        return 0.0
