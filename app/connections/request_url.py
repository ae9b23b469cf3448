"""The URL of a request, in the parts that ASGI has for it."""

import urllib.parse

import httptools


def split_url(url: bytes, root_path: str) -> tuple[str, bytes, bytes]:
    """Return `path`, `raw_path` and `query_string` of ASGI's scope.

    Raises:
        httptools.HttpParserInvalidURLError: it is none.
    """
    parsed = httptools.parse_url(url)
    path = parsed.path.decode("ascii")
    if "%" in path:
        path = urllib.parse.unquote(path)
    return root_path + path, root_path.encode("ascii") + parsed.path, parsed.query or b""
