"""Image files in JSON: `{"images": ["data:image/png;base64,..."]}` (RFC 2397)."""

import binascii
import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

import orjson

from app.bodies import byte_pieces
from app.bodies.base64_text import decode_any_base64
from app.bodies.limits import UploadLimits
from app.errors import BodyError
from inkling.errors import ImageError
from inkling.file_kinds import likely_kind

EXPECTED = "data:image/png;base64,..."
MAX_HEAD_BYTES = 1 << 10
"""Bytes of the type and parameters before the comma."""

_SPACE = rb"[ \t\r\n]*"
_OPENING = re.compile(rb'%b\{%b"images"%b:%b(\[?)%b"' % ((_SPACE,) * 5))
_NEXT = re.compile(rb'%b(,%b"|\]?%b\}%b$)' % ((_SPACE,) * 4))
_URL = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://|blob:")
_BASE64_START = re.compile(rb"[A-Za-z0-9+/_-]{16}")
PIECE_BYTES = 16 << 10
"""Text whose escapes are undone at a time: in a millisecond."""


def json_texts(body: bytes, limits: UploadLimits) -> list[bytes] | None:
    """Return the strings of a body whose `images` is a list of strings, or one; None for any other body.

    They are found by their quotation marks: a JSON parser would hold up the event loop for each large one.

    Raises:
        TooLargeError: too many.
    """
    opening = _OPENING.match(body)
    if opening is None:
        return None
    texts: list[bytes] = []
    start = opening.end()
    while (end := byte_pieces.find(body, b'"', start)) >= 0:
        texts.append(body[start:end])
        follows = _NEXT.match(body, end + 1)
        if follows is None or texts[-1].endswith(b"\\"):
            return None
        if not follows[1].startswith(b","):
            return texts if follows[1].startswith(b"]") == bool(opening[1]) else None
        limits.check_count(len(texts) + 1)
        start = follows.end()
    return None


def data_uri_files(texts: list[bytes]) -> list[bytes]:
    """Return the files in data: URIs, and empty their list, so that not all are in memory twice.

    Raises:
        ImageError: a text is none, or not in Base64; the message says which.
    """
    count = len(texts)
    texts.reverse()
    return [_file(texts.pop(), f"image {number} of {count}") for number in range(1, count + 1)]


def _file(text: bytes, name: str) -> bytes:
    text = _without_escapes(text, name).lstrip(b" \t\r\n")
    start = text[:MAX_HEAD_BYTES]
    head, comma, _ = start.partition(b",")
    if head[:5].lower() != b"data:":
        raise ImageError(f"{name} is {_other_text(start)}, expected {EXPECTED}")
    if not comma:
        raise ImageError(f"{name} is a data: URI without a comma in its first {MAX_HEAD_BYTES} bytes; send {EXPECTED}")
    if not head.rstrip().lower().endswith(b"base64"):
        kind = likely_kind(unquote_to_bytes(start[len(head) + 1 :]))
        is_kind = f" and {kind.name}" if kind else ""
        raise ImageError(f"{name} is a data: URI without `;base64`{is_kind}: {_shown(head)!r}; send {EXPECTED}")
    text = text[len(head) + 1 :]
    try:
        file = decode_any_base64(_without_percents(text))
    except binascii.Error as error:
        raise ImageError(f"{name} is a data: URI whose Base64 is damaged: {error}") from error
    if not file:
        raise ImageError(f"{name} is an empty data: URI; send {EXPECTED}")
    return file


def _without_percents(text: bytes) -> bytes:
    """Return Base64 whose characters may be percent-encoded, as in any URL.

    Raises:
        binascii.Error: more of it is escaped than Base64 needs, which would take long to undo.
    """
    percents = byte_pieces.count(text, b"%")
    if percents > len(text) // 16 + 16:
        raise binascii.Error(f"{percents} of its {len(text)} bytes are %")
    return b"".join(unquote_to_bytes(piece) for piece in _pieces(text, b"%", 3)) if percents else text


def _without_escapes(text: bytes, name: str) -> bytes:
    """Return the text of a JSON string: PHP escapes the /, .NET the +, and others the line ends of Base64."""
    if not byte_pieces.contains(text, b"\\"):
        return text
    try:
        return b"".join(orjson.loads(b'"' + piece + b'"').encode() for piece in _pieces(text, b"\\", 12))
    except orjson.JSONDecodeError as error:
        raise BodyError(f"the body is not JSON: {name} is {_shown(text)!r}: {error}") from error


def _pieces(text: bytes, sign: bytes, width: int) -> Iterator[bytes]:
    """Yield a text in pieces that do not end within an escape, which begins with a sign and has at most some bytes."""
    start = 0
    while len(text) - start > PIECE_BYTES:
        end = start + PIECE_BYTES
        cut = text.rfind(sign, end - width + 1, end)
        end = cut if cut > 0 else end
        yield text[start:end]
        start = end
    yield text[start:]


def _other_text(start: bytes) -> str:
    """Return what is sent in place of a data: URI, in words."""
    if _URL.match(start):
        return f"a URL ({_shown(start)!r}), and nothing is fetched"
    if _BASE64_START.match(start):
        return "Base64 without its beginning"
    return f"the text {_shown(start)!r}" if start else "an empty text"


def _shown(text: bytes) -> str:
    return text[:60].decode("utf-8", "replace")
