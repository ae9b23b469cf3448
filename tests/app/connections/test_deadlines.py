"""Clients that take their time: with their head, their body, their reading, or their next request."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.servers import Server, start_server
from tests.support.services import eventually
from tests.support.sockets import LIVEZ, PREDICT, check_refusal, connect, read_answer, read_answers

DRIP_S = 0.2


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    limits = ("--client-timeout-s", "2", "--body-timeout-s", "6", "--keep-alive-s", "1")
    with start_server(tmp_path_factory.mktemp("deadlines") / "data", "--trainer", "external", *limits) as server:
        yield server


def drip(connection: socket.socket, data: bytes, step: int = 1) -> None:
    """Send a few bytes at a time, until all are sent or the server has had enough."""
    connection.settimeout(DRIP_S)
    for begin in range(0, len(data), step):
        connection.sendall(data[begin : begin + step])
        try:
            if connection.recv(1, socket.MSG_PEEK):
                break
        except TimeoutError:
            continue
    connection.settimeout(60)


def test_head_that_drips_is_408(server: Server) -> None:
    with connect(server) as connection:
        drip(connection, LIVEZ[:-2] + b"X: " + b"x" * 10_000)
        (answer,) = read_answers(connection)
    detail = check_refusal(answer, 408, "/livez")
    assert "within 2 s (INKLING_CLIENT_TIMEOUT_S)" in detail


def test_body_that_drips_is_408(server: Server) -> None:
    with connect(server) as connection:
        connection.sendall(PREDICT + b"Content-Length: 784\r\n\r\n")
        drip(connection, bytes(784))
        (answer,) = read_answers(connection)
    detail = check_refusal(answer, 408, "/predict")
    assert "4096 bytes per second" in detail
    assert "INKLING_CLIENT_TIMEOUT_S" in detail


def test_body_that_never_comes_is_408_whatever_the_call_does_with_it(server: Server) -> None:
    for head in (
        PREDICT + b"Transfer-Encoding: chunked\r\n\r\n",
        PREDICT.replace(b"/predict", b"/predict?fit=mnist") + b"Content-Length: 784\r\n\r\n",
        b"POST /train HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
    ):
        with connect(server) as connection:
            connection.sendall(head)
            (answer,) = read_answers(connection)
        assert answer.status == 408
    with server.client() as client:
        assert client.get("/train").json()["items"] == []


def test_fast_body_has_until_its_own_deadline(server: Server) -> None:
    with connect(server) as connection:
        connection.sendall(PREDICT + b"Content-Length: 16000000\r\n\r\n")
        drip(connection, bytes(16_000_000), step=4000)  # 20,000 bytes per second
        (answer,) = read_answers(connection)
    assert "within 6 s (INKLING_BODY_TIMEOUT_S)" in check_refusal(answer, 408, "/predict")


def test_slow_but_steady_body_is_read(server: Server) -> None:
    content = bytes(784 * 100)
    with connect(server) as connection:
        connection.sendall(PREDICT + b"Content-Length: 78400\r\n\r\n")
        drip(connection, content, step=5000)
        answer = read_answer(connection)
    assert (answer.status, len(answer.json()["predictions"])) == (200, 100)


def test_connection_without_a_request_is_closed(server: Server) -> None:
    with connect(server) as silent, connect(server) as idle:
        idle.sendall(LIVEZ)
        assert read_answer(idle).status == 200
        assert idle.recv(1) == b""
        assert silent.recv(1) == b""


def test_answer_that_is_not_read_is_cut_off(server: Server) -> None:
    with connect(server, receive_buffer=4096) as connection:
        connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 100)
        time.sleep(0.1)
        eventually(lambda: connections_of(server) == 0, "the connection is closed", deadline_s=30)


def test_answer_that_is_read_slowly_comes_whole(server: Server) -> None:
    with connect(server, receive_buffer=4096) as connection, ThreadPoolExecutor(1) as threads:
        images = 3000
        sending = threads.submit(
            connection.sendall,
            PREDICT + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % (784 * images) + bytes(784 * images),
        )
        sending.result()
        received = b""
        while chunk := connection.recv(20_000):
            received += chunk
            time.sleep(0.02)
        head, _, body = received.partition(b"\r\n\r\n")
        assert f"content-length: {len(body)}".encode() in head


def connections_of(server: Server) -> int:
    """Return how many connections a server has, as the kernel counts them."""
    links = Path(f"/proc/{server.process.pid}/fd").iterdir()
    inodes = {target[8:-1] for link in links if (target := str(_read(link))).startswith("socket:[")}
    rows = [line.split() for line in Path(f"/proc/{server.process.pid}/net/tcp").read_text().splitlines()[1:]]
    return sum(row[9] in inodes and row[3] == "01" for row in rows)


def _read(link: Path) -> Path | str:
    try:
        return link.readlink()
    except OSError:  # it is closed
        return ""
