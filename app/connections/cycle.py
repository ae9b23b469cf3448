"""One request and its answer on a connection: uvicorn's, but it encodes the head of a usual answer in less time."""

from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from app.admission.answer_headers import ANSWER_HEADERS

_FIXED_LINES: Final = {
    header: b"%b: %b\r\n" % header
    for header in (
        *ANSWER_HEADERS,
        (b"cache-control", b"no-store"),
        (b"content-type", b"application/json"),
        (b"content-type", b"application/octet-stream"),
        (b"content-type", b"application/x-npy"),
    )
}
_VARIABLE_NAMES: Final = frozenset(
    (
        b"date",
        b"content-length",
        b"inference-header-content-length",
        b"server-timing",
        b"vary",
        b"x-model-version",
        b"x-request-id",
    )
)
"""Of headers that decide nothing about the connection, and whose values are checked."""


class Cycle(RequestResponseCycle):
    """A request and its answer; it sends the same bytes as uvicorn's, which checks and joins every header: 2 us more.

    The head of an answer with any other header, with chunks, or at the end of a connection is left to uvicorn.
    """

    async def send(self, message: Any) -> None:
        if (
            message["type"] != "http.response.start"
            or self.response_started
            or self.disconnected
            or self.access_log
            or not self.keep_alive
            or self.flow.write_paused
            or not self._send_usual_head(message["status"], message["headers"])
        ):
            await super().send(message)

    def answer_at_once(self, headers: list[tuple[bytes, bytes]], content: bytes) -> None:
        """Send a whole answer of status 200 to a request that no application has.

        Raises:
            RuntimeError: its head is not a usual one.
        """
        if not self._send_usual_head(200, headers):
            raise RuntimeError("only the application can send this head")
        self.transport.write(content)
        self.body = bytearray()  # an idle connection needs no memory for it
        self.response_complete = True
        self.message_event.set()
        on_response, self.on_response = self.on_response, _nothing  # as uvicorn does: it is a reference cycle
        on_response()

    def _send_usual_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> bool:
        """Send the head of an answer; return False, having sent nothing, where it is not a usual one."""
        lines, values, length = [STATUS_LINE[status]], [], None
        for header in (*self.default_headers, *headers):
            if line := _FIXED_LINES.get(header):
                lines.append(line)
                continue
            name, value = header
            if name not in _VARIABLE_NAMES:
                return False
            if name == b"content-length":
                length = int(value)
            values.append(value)
            lines.append(b"%b: %b\r\n" % header)
        if length is None or not b"".join(values).decode("latin-1").isprintable():
            return False
        self.response_started, self.waiting_for_100_continue = True, False
        self.chunked_encoding, self.expected_content_length = False, length
        lines.append(b"\r\n")
        self.transport.write(b"".join(lines))
        return True


def _nothing() -> None:
    pass
