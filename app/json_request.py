"""A request with a JSON body: small, in UTF-8, and without what JSON leaves open."""

import json
from typing import Any, NoReturn

from starlette.requests import ClientDisconnect, Request

from app.errors import BodyError, MediaTypeError
from inkling.errors import TooLargeError

MAX_JSON_BYTES = 64 << 10
"""Of every JSON body that carries no images: the longest that makes sense has 1,500 bytes."""


class JsonRequest(Request):
    async def body(self) -> bytes:
        """Return the body.

        Raises:
            TooLargeError: it is longer than MAX_JSON_BYTES; if its length is declared, nothing of it is read.
            MediaTypeError: it is not sent as JSON.
            BodyError: its length is declared, and none of it has come.
        """
        if not hasattr(self, "_body"):
            length = self.headers.get("content-length", "")
            declared = int(length[:19]) if length.isascii() and length.isdigit() else 0
            if declared > MAX_JSON_BYTES:
                raise TooLargeError(_too_large(str(declared)))
            self._body = await self._read()
            if declared and not self._body:
                raise BodyError(f"Content-Length is {declared}, and the body did not come")
            if self._body:
                self._require_json()
        return self._body

    async def json(self) -> Any:
        """Return the document.

        Raises:
            BodyError: it is not UTF-8, not JSON, nested too deeply, or an object in it has a key twice.
        """
        if not hasattr(self, "_json"):
            document = parse(await self.body())
            if document is None:  # FastAPI would take it for no body, and the call would run on its defaults
                raise BodyError("the body is null; send an object, or no body")
            self._json = document
        return self._json

    async def _read(self) -> bytes:
        body = bytearray()
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            body += message.get("body", b"")
            if len(body) > MAX_JSON_BYTES:
                raise TooLargeError(_too_large(f"more than {MAX_JSON_BYTES}"))
            if not message.get("more_body", False):
                return bytes(body)

    def _require_json(self) -> None:
        content_type = self.headers.get("content-type", "")
        media_type = content_type.partition(";")[0].strip().lower()
        if media_type != "application/json" and not (
            media_type.startswith("application/") and media_type.endswith("+json")
        ):
            raise MediaTypeError(
                f"Content-Type is {media_type[:100] or 'missing'}; send the body as JSON, "
                "with Content-Type: application/json"
            )


def parse(body: bytes) -> Any:
    """Return a JSON document; NaN and infinities are left to the bounds of the fields.

    Raises:
        BodyError: as `JsonRequest.json`.
    """
    try:
        return json.loads(_decode(body), object_pairs_hook=_unique)
    except RecursionError as error:
        raise BodyError("the body is not JSON of a call: it is nested too deeply") from error
    except ValueError as error:  # JSONDecodeError, or a number of more than 4,300 digits
        raise BodyError(f"the body is not JSON: {error}") from error


def _decode(body: bytes) -> str:
    if body[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in body[:4]:
        raise BodyError("the body is in UTF-16 or UTF-32; send JSON in UTF-8")
    try:
        return body.decode("utf-8-sig")  # RFC 8259, section 8.1: a byte order mark may be ignored
    except UnicodeDecodeError as error:
        raise BodyError(f"the body is not UTF-8, from byte {error.start} on; send JSON in UTF-8") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        _refuse_twice(pairs)
    return found


def _refuse_twice(pairs: list[tuple[str, Any]]) -> NoReturn:
    seen = set[str]()
    for name, _ in pairs:
        if name in seen:
            raise BodyError(f"the key {name[:100].encode('utf-8', 'replace').decode()!r} is given twice in one object")
        seen.add(name)
    raise AssertionError


def _too_large(found: str) -> str:
    return f"the body is {found} bytes long, a JSON call takes at most {MAX_JSON_BYTES}"
