"""HTTP as bytes on a socket, for requests that no ordinary client sends."""

import contextlib
import socket
import time
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse

from benchmarks.scoreboard.arena import Server

CLOSED = 0
"""The status of a request whose connection was closed without an answer."""
SILENT = -1
"""The status of a request that was not answered in time, on a connection that is open."""
CHUNK = 1 << 16


@dataclass(frozen=True)
class Answer:
    """An answer, with the seconds from the request to its end."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def is_problem(self) -> bool:
        return self.headers.get("content-type", "").startswith("application/problem+json")


def request(method: str, path: str, body: bytes = b"", /, **headers: str) -> bytes:
    """Return a request; of a header's name, `_` stands for a hyphen."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body and "Content_Length" not in headers:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def connect(server: Server, timeout_s: float = 20.0, source: str = "") -> socket.socket:
    address = (source, 0) if source else None
    return socket.create_connection(("127.0.0.1", server.port), timeout=timeout_s, source_address=address)


def read_answer(connection: socket.socket, method: str = "GET") -> Answer:
    """Return the next answer of a connection; CLOSED if it ends without one."""
    started = time.perf_counter()
    try:
        response = HTTPResponse(connection, method=method)
        response.begin()
        body = response.read()
    except (HTTPException, ConnectionError):
        return Answer(CLOSED)
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, body, headers, time.perf_counter() - started)


def exchange(server: Server, data: bytes, timeout_s: float = 20.0) -> Answer:
    """Send bytes on a new connection, and return the first answer; CLOSED if there is none."""
    try:
        connection = connect(server, timeout_s)
    except ConnectionError:
        return Answer(CLOSED)
    with connection:
        with contextlib.suppress(ConnectionError):  # it may answer and close before it has all
            connection.sendall(data)
        return read_answer(connection)


def answer_within(connection: socket.socket, seconds: float) -> Answer:
    """Return the answer that comes within some time; SILENT if none does."""
    connection.settimeout(seconds)
    try:
        return read_answer(connection)
    except TimeoutError:
        return Answer(SILENT)


def post(server: Server, path: str, body: bytes, content_type: str, timeout_s: float = 30.0, **headers: str) -> Answer:
    started = time.perf_counter()
    found = exchange(server, request("POST", path, body, Content_Type=content_type, **headers), timeout_s)
    return Answer(found.status, found.body, found.headers, time.perf_counter() - started)


def read_all(server: Server, data: bytes, timeout_s: float = 3.0) -> bytes:
    """Send bytes, and return everything that comes until the server closes or is silent for some time."""
    received = b""
    with connect(server, timeout_s) as connection, contextlib.suppress(OSError):
        connection.sendall(data)
        while chunk := connection.recv(CHUNK):
            received += chunk
    return received


def is_closed(connection: socket.socket) -> bool:
    """Return whether the server has closed a connection, without waiting."""
    connection.settimeout(0)
    try:
        while chunk := connection.recv(CHUNK):
            del chunk
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
