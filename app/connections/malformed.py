"""Requests that are not what they should be: an error in words, and a head without its upgrade."""

import httptools

UPGRADE_FIELDS = (b"upgrade", b"http2-settings")


def describe_malformed(data: bytes, error: httptools.HttpParserError) -> str:
    """Return what is wrong with bytes that the parser refuses, and what to do."""
    if data.startswith(b"\x16\x03"):
        return "the server speaks plain HTTP, and this is TLS; use http:// instead of https://"
    if data.startswith(b"PRI * HTTP/2"):
        return "the server speaks HTTP/1.1, and this is HTTP/2 (curl: leave out --http2-prior-knowledge)"
    cause = error.__context__
    if isinstance(cause, UnicodeDecodeError):
        return "the path holds bytes beyond ASCII; percent-encode them"
    if cause is not None:
        return "the request target is not a path with an optional query"
    return f"this is not an HTTP/1.1 request: {error}"


def without_upgrade(method: bytes, target: bytes, version: str, headers: list[tuple[bytes, bytes]]) -> bytes:
    """Return the head of a request without what asks for another protocol."""
    lines = [b"%b %b HTTP/%b" % (method, target, version.encode())]
    for name, value in headers:
        if name in UPGRADE_FIELDS:
            continue
        kept = value
        if name == b"connection":
            options = [option.strip() for option in value.split(b",")]
            kept = b", ".join(option for option in options if option.lower() not in UPGRADE_FIELDS)
        lines.append(b"%b: %b" % (name, kept))
    return b"\r\n".join(lines) + b"\r\n\r\n"
