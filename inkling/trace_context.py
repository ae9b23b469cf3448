"""The trace that a request belongs to, as its client names it (W3C Trace Context)."""

import re
from typing import Final

_TRACEPARENT: Final = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")


def trace_id_of(traceparent: str) -> str | None:
    """Return the id of the trace in a header `traceparent`; None if it is not one.

    A later version than 00 may have more after the fields of 00, which are read (W3C Trace Context, section 4.3).
    """
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None or (found[1] == "00" and found[3]):
        return None
    return found[2]
