"""The files of a multipart/form-data body (RFC 7578, RFC 2046 section 5.1)."""

import binascii
import quopri
import re
from collections.abc import Iterator
from typing import NamedTuple

from python_multipart.multipart import parse_options_header

from app.bodies import byte_pieces
from app.bodies.base64_text import SPACE, decode_base64
from app.bodies.limits import UploadLimits
from app.bodies.unknown_fields import refuse_unknown
from app.errors import BodyError

MAX_HEAD_BYTES = 4096
"""Bytes of the headers of one part."""

_PLAIN_TYPE = re.compile(r"multipart/form-data; ?boundary=([0-9A-Za-z'_.-]{1,70})")
_PLAIN_HEAD = re.compile(
    rb'\r\n(?i:Content-Disposition: form-data; name)="file"; (?i:filename)="[^"\\;\r\n]*"\r\n'
    rb"(?:(?i:Content-Type): [^\r\n]*\r\n)?\r\n"
)
_LINE_END = re.compile(rb"[ \t]*(\r?\n)")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_FILE_NAME = re.compile(r"files?(\[\d*\])?", re.IGNORECASE)
_FILE_TYPES = (b"image/", b"application/octet-stream")
_PLAIN_ENCODINGS = (b"", b"7bit", b"8bit", b"binary")


class Part(NamedTuple):
    name: str
    """Empty if there is none."""
    is_file: bool
    """Whether it has a file name, or the Content-Type of an image."""
    content: bytes


def multipart_files(body: bytes, content_type: str, limits: UploadLimits) -> list[bytes]:
    """Return the contents of the files of a form, in their order.

    They are the parts named `file`, `files`, `file[]` or `file[0]` in any case; or a single file of any name.

    Raises:
        BodyError: not multipart, incomplete, or without a file.
        FieldError: another field.
        TooLargeError: too many parts.
    """
    boundary = _boundary(content_type)
    if (only := _only_file(body, boundary)) is not None:
        return [only]
    files: list[bytes] = []  # of up to 10,000 parts only their contents: the garbage collector walks over anything else
    others: list[Part] = []
    for part in read_parts(body, boundary, limits):
        if part.name == "file" or _FILE_NAME.fullmatch(part.name):
            files.append(part.content)
        else:
            others.append(part)
    if files and not others:
        return files
    refuse_unknown((part.name for part in others if part.name and not part.is_file), ("file",), "form field")
    if not files and len(others) == 1 and others[0].is_file:
        return [others[0].content]
    if files:
        refuse_unknown((part.name for part in others), ("file",), "form field")
    found = ", ".join(part.name or "(no name)" for part in others) or "none"
    raise BodyError(f"no part is named 'file'; parts found: {found[:200]}; with curl: -F file=@digit.png")


def _only_file(body: bytes, boundary: bytes) -> bytes | None:
    """Return the content of a small form of one file with a plain head, as most clients send it; else None.

    `read_parts` finds the same in five times the time.
    """
    begins, ends = b"--%b" % boundary, b"\r\n--%b--\r\n" % boundary
    if len(body) > byte_pieces.PIECE_BYTES or not (body.startswith(begins) and body.endswith(ends)):
        return None
    head = _PLAIN_HEAD.match(body, len(begins), len(begins) + MAX_HEAD_BYTES)
    if head is None or body.find(ends[:-4], head.end() - 2) != len(body) - len(ends):
        return None
    return body[head.end() : -len(ends)]


def read_parts(body: bytes, boundary: bytes, limits: UploadLimits, *, is_quick: bool = True) -> Iterator[Part]:
    """Yield the parts of a form.

    Args:
        body: of the request.
        boundary: of its Content-Type.
        limits: on the number of parts.
        is_quick: whether a plain head, as curl, browsers and most libraries write it, may be matched as a whole: that
            takes 1 us, reading its headers 15.
    """
    for start, end in _sections(body, boundary, limits):
        head = _PLAIN_HEAD.match(body, start, min(end, start + MAX_HEAD_BYTES)) if is_quick else None
        yield (
            _read_part(body[start:end]) if head is None else Part("file", is_file=True, content=body[head.end() : end])
        )


def _boundary(content_type: str) -> bytes:
    plain = _PLAIN_TYPE.fullmatch(content_type)
    boundary = plain[1].encode() if plain else parse_options_header(content_type)[1].get(b"boundary", b"")
    if not boundary:
        raise BodyError("Content-Type multipart/form-data has no boundary; let your HTTP client set the header")
    return boundary


def _sections(body: bytes, boundary: bytes, limits: UploadLimits) -> Iterator[tuple[int, int]]:
    """Yield the start and the end of each part: from the line end after a boundary to the one before the next.

    The first boundary's line end, CRLF or LF, is that of the form. Text before it and after the last is ignored.
    """
    dashes = b"--" + boundary
    after = 0 if body.startswith(dashes) else byte_pieces.find(body, b"\n" + dashes) + 1
    if after == 0 and not body.startswith(dashes):
        raise BodyError(f"the body is not multipart/form-data: no line of it is --{_shown(boundary)}")
    after += len(dashes)
    if body.startswith(b"--", after):
        return
    line_end = _LINE_END.match(body, after)
    delimiter = (line_end[1] if line_end else b"\r\n") + dashes
    limits.check_count(byte_pieces.count(body, delimiter, after))
    while not body.startswith(b"--", after):
        line_end = _LINE_END.match(body, after)
        if line_end is None or not delimiter.startswith(line_end[1]):
            raise BodyError(
                f"the body is not multipart/form-data: a line begins with --{_shown(boundary)} and does not end there"
            )
        start = line_end.start(1)
        end = byte_pieces.find(body, delimiter, start)
        if end < 0:
            raise BodyError("the body is not multipart/form-data: it ends before its last boundary")
        yield start, end
        after = end + len(delimiter)


def _read_part(section: bytes) -> Part:
    """Return a part from its section: a line end, its headers, an empty line, its content."""
    line_end = b"\r\n" if section.startswith(b"\r\n") else b"\n"
    end = section.find(line_end * 2, 0, MAX_HEAD_BYTES)
    if end < 0:
        raise BodyError(
            "the body is not multipart/form-data: a part has no empty line after its headers, "
            f"or more than {MAX_HEAD_BYTES} bytes of them"
        )
    headers = _headers(section[:end])
    disposition = headers.get(b"content-disposition", b"")
    options = parse_options_header(disposition)[1]
    return Part(
        name=options.get(b"name", b"").decode("utf-8", "replace"),
        is_file=b"filename" in disposition.lower() or headers.get(b"content-type", b"").lower().startswith(_FILE_TYPES),
        content=_decoded(section[end + 2 * len(line_end) :], headers.get(b"content-transfer-encoding", b"")),
    )


def _headers(head: bytes) -> dict[bytes, bytes]:
    """Return the headers of a part by their names in lower case; folded lines are joined."""
    headers: dict[bytes, bytes] = {}
    for line in _FOLD.sub(b" ", head).splitlines():
        if not line:
            continue
        name, colon, value = line.partition(b":")
        name = name.strip(b" \t").lower()
        if not colon or not name:
            raise BodyError(f"the body is not multipart/form-data: a header of a part is {_shown(line)}")
        if name in headers:
            raise BodyError(f"a part has the header {_shown(name)} twice")
        headers[name] = value.strip(b" \t")
    return headers


def _decoded(content: bytes, encoding: bytes) -> bytes:
    """Return the content of a part without its transfer encoding, which RFC 7578 deprecates and some clients use."""
    encoding = encoding.lower()
    if encoding in _PLAIN_ENCODINGS:
        return content
    if encoding == b"quoted-printable":
        return quopri.decodestring(content)
    if encoding != b"base64":
        raise BodyError(
            f"a part has Content-Transfer-Encoding {_shown(encoding)}; expected binary, base64 or quoted-printable"
        )
    try:
        return decode_base64(byte_pieces.translate(content, None, SPACE))
    except binascii.Error as error:
        raise BodyError(f"a part has Content-Transfer-Encoding base64, but its content is not: {error}") from error


def _shown(text: bytes) -> str:
    return text[:100].decode("utf-8", "replace")
