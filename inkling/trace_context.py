"""The trace that a request belongs to, as its client names it (W3C Trace Context)."""

import re
from typing import Final

_TRACEPARENT: Final = re.compile(r"((?!ff)([0-9a-f]{2})-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2})(-.*)?")


def read_traceparent(header: str) -> str | None:
    """Return a header `traceparent`, without what a later version adds to it; None if it is not one.

    A later version than 00 may have more after the fields of 00, which are read (W3C Trace Context, section 4.3).
    """
    found = _TRACEPARENT.fullmatch(header)
    if found is None or (found[2] == "00" and found[3]):
        return None
    return found[1]


def trace_id_of(traceparent: str | None) -> str | None:
    """Return the id of the trace, 32 hexadecimal digits, in what `read_traceparent` returned."""
    return traceparent[3:35] if traceparent else None
