"""Entity tags in the conditions of requests (RFC 9110, sections 8.8.3 and 13.1)."""

import re
from typing import Final

from starlette.requests import Request

_TAG: Final = re.compile(r'\s*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|$)')
ANY: Final = "*"
AS_IT_IS: Final = {"Cache-Control": "no-transform"}
"""Of an answer that is never compressed, so that its tag is strong: a client may send it back in If-Match."""


def strong_tags(header: str) -> list[str]:
    """Return the opaque parts of the strong tags of an If-Match; weak ones never match there.

    A proxy that compresses an answer makes its tag a weak one.
    """
    return [tag for is_weak, tag in _TAG.findall(header) if not is_weak]


def is_known(request: Request, etag: str) -> bool:
    """Return whether If-None-Match names a tag, so that the answer is 304 without a body: weak tags match, too."""
    header = ",".join(request.headers.getlist("if-none-match"))
    return header.strip() == ANY or etag.removeprefix("W/").strip('"') in (tag for _, tag in _TAG.findall(header))
