"""Raw sockets for tests: bytes to a server, and its answers as they come."""

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.servers import Server

PREDICT = b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/octet-stream\r\n"
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def connect(server: Server, receive_buffer: int | None = None) -> socket.socket:
    """Open a connection; with a small receive buffer, answers that are not read fill it at once."""
    url = httpx.URL(server.url)
    connection = socket.socket()
    connection.settimeout(60)
    if receive_buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    try:
        connection.connect((url.host, url.port or 0))
    except OSError:
        connection.close()
        raise
    return connection


def read_to_end(connection: socket.socket) -> bytes:
    """Read until the server closes the connection.

    Raises:
        ConnectionResetError: it broke it off.
    """
    received = bytearray()
    while chunk := connection.recv(1 << 16):
        received += chunk
    return bytes(received)


def answers_in(received: bytes) -> list[Answer]:
    """Split what a connection received into answers."""
    answers = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        size = int(headers["content-length"])
        assert len(rest) >= size, "an answer broke off"
        answers.append(Answer(int(status.split()[1]), headers, rest[:size]))
        received = rest[size:]
    return answers


def read_answers(connection: socket.socket) -> list[Answer]:
    """Read all answers until the server closes the connection."""
    return answers_in(read_to_end(connection))


def read_answer(connection: socket.socket) -> Answer:
    """Read one answer of a connection that stays open."""
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = connection.recv(1)
        assert chunk, f"the connection ended after {received!r}"
        received += chunk
    size = next(int(line.split(b":")[1]) for line in received.split(b"\r\n") if line.startswith(b"content-length"))
    while size:
        chunk = connection.recv(size)
        assert chunk, "the answer broke off"
        received += chunk
        size -= len(chunk)
    return answers_in(received)[0]


def check_refusal(answer: Answer, status: int, instance: str = "/") -> str:
    """Check that an answer is a problem that ends its connection, and return its detail."""
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["connection"] == "close"
    body = answer.json()
    assert (body["status"], body["instance"]) == (status, instance)
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["type"].startswith("/problems/")
    detail: str = body["detail"]
    return detail
