import asyncio
import logging
from typing import Any

import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from app.admission.answer_headers import ANSWER_HEADERS
from app.connections.cycle import Cycle

pytestmark = pytest.mark.anyio

DATE = (b"date", b"Fri, 27 Nov 2026 20:00:00 GMT")
JSON = [(b"x-model-version", b"1"), (b"cache-control", b"no-store"), (b"content-type", b"application/json")]
LENGTH = (b"content-length", b"5")
USUAL = [*JSON, LENGTH, (b"x-request-id", b"0fd5fc0805a91623"), *ANSWER_HEADERS]
HEADERS = {
    "usual": USUAL,
    "no length": JSON,
    "chunks": [*JSON, (b"transfer-encoding", b"chunked")],
    "close": [*USUAL, (b"connection", b"close")],
    "another name": [*USUAL, (b"Etag", b'"a"')],
    "upper case": [*JSON, (b"Content-Length", b"5")],
    "Latin-1": [*USUAL, (b"vary", "é".encode("latin-1"))],
    "tab": [*USUAL, (b"vary", b"a\tb")],
    "no headers": [],
}
UNSAFE = {
    "line end in a value": [*USUAL, (b"x-request-id", b"a\r\nb: c")],
    "null in a value": [*USUAL, (b"vary", b"a\0")],
    "line end in a name": [*USUAL, (b"a\r\nb", b"c")],
    "wrong length": [*JSON, (b"content-length", b"4")],
}


class _Transport:
    def __init__(self) -> None:
        self.sent = b""
        self.is_closed = False

    def write(self, data: bytes) -> None:
        self.sent += data

    def close(self) -> None:
        self.is_closed = True


class _Flow:
    write_paused = False


def _cycle(cycle_class: type[RequestResponseCycle], transport: _Transport, method: str, **options: Any) -> Any:
    arguments: dict[str, Any] = {
        "scope": {"method": method},
        "transport": transport,
        "flow": _Flow(),
        "logger": logging.getLogger("uvicorn.error"),
        "access_logger": logging.getLogger("uvicorn.access"),
        "access_log": False,
        "default_headers": [DATE],
        "message_event": asyncio.Event(),
        "expect_100_continue": False,
        "keep_alive": True,
        "on_response": lambda: None,
    }
    return cycle_class(**arguments | options)


async def _answer(
    cycle_class: type[RequestResponseCycle],
    headers: list[tuple[bytes, bytes]],
    method: str,
    *,
    status: int = 200,
    **options: Any,
) -> tuple[bytes, bool, bool]:
    """Return the bytes of an answer, whether the connection was closed, and whether the answer is complete."""
    transport = _Transport()
    cycle = _cycle(cycle_class, transport, method, **options)
    await cycle.send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await cycle.send({"type": "http.response.body", "body": b"" if status in {204, 304} else b"12345"})
    return transport.sent, transport.is_closed, cycle.response_complete


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("options", [{}, {"keep_alive": False}, {"expect_100_continue": True}, {"status": 503}])
@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
async def test_sends_the_bytes_that_uvicorn_sends(
    headers: list[tuple[bytes, bytes]], options: dict[str, Any], method: str
) -> None:
    ours = await _answer(Cycle, headers, method, **options)
    assert ours == await _answer(RequestResponseCycle, headers, method, **options)
    assert ours[0].endswith(b"12345") or b"5\r\n12345\r\n0\r\n\r\n" in ours[0] or method == "HEAD"


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_without_a_body_has_no_chunks(status: int) -> None:
    ours = await _answer(Cycle, JSON, "GET", status=status)
    assert ours == await _answer(RequestResponseCycle, JSON, "GET", status=status)
    assert b"chunked" not in ours[0]


@pytest.mark.parametrize("headers", UNSAFE.values(), ids=UNSAFE)
async def test_refuses_what_uvicorn_refuses(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(RuntimeError) as ours:
        await _answer(Cycle, headers, "GET")
    with pytest.raises(RuntimeError) as theirs:
        await _answer(RequestResponseCycle, headers, "GET")
    assert str(ours.value) == str(theirs.value)


async def test_the_head_of_a_usual_answer_is_not_left_to_uvicorn() -> None:
    """Or the bytes above would be the same because they are uvicorn's."""
    cycle = _cycle(Cycle, _Transport(), "GET")
    assert not cycle._send_usual_head(200, HEADERS["chunks"])
    assert cycle._send_usual_head(200, USUAL)


async def test_answer_at_once_has_the_same_bytes() -> None:
    transport = _Transport()
    cycle = _cycle(Cycle, transport, "POST")
    cycle.body += b"body"
    cycle.answer_at_once(list(USUAL), b"12345")
    assert (transport.sent, transport.is_closed, cycle.response_complete) == await _answer(Cycle, USUAL, "POST")
    assert cycle.body == b""


async def test_answer_at_once_with_another_head_is_refused() -> None:
    transport = _Transport()
    with pytest.raises(RuntimeError, match="only the application"):
        _cycle(Cycle, transport, "POST").answer_at_once(list(HEADERS["chunks"]), b"12345")
    assert transport.sent == b""
