"""Many requests at once on one connection, read or not."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.support.servers import Server, start_server
from tests.support.services import eventually
from tests.support.sockets import LIVEZ, PREDICT, connect, read_answer, read_answers

OPENAPI = b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
MANY = 20_000
ESTABLISHED = 1


def memory_mb(server: Server) -> float:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", status)
    assert found
    return int(found[1]) / 1024


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with start_server(tmp_path / "data", "--trainer", "external") as server:
        yield server


def send_until_it_blocks(connection: socket.socket, data: bytes) -> None:
    connection.settimeout(0.3)
    with suppress(TimeoutError, ConnectionError):
        connection.sendall(data)


def test_pipelined_requests_are_all_answered_in_order(server: Server) -> None:
    one = PREDICT + b"Content-Length: 784\r\n\r\n" + bytes(784)
    two = PREDICT + b"Transfer-Encoding: chunked\r\n\r\n620\r\n" + bytes(1568) + b"\r\n0\r\n\r\n"
    with connect(server) as connection:
        sending = threading.Thread(
            target=connection.sendall, args=((one + LIVEZ + two) * 500 + LIVEZ[:-2] + b"Connection: close\r\n\r\n",)
        )
        sending.start()
        answers = read_answers(connection)
        sending.join()
    assert len(answers) == 1501
    images = [len(answer.json().get("predictions", ())) for answer in answers]
    assert images == [1, 0, 2] * 500 + [0]


@pytest.mark.unmeasured
def test_tiny_requests_in_one_write_are_all_answered(server: Server) -> None:
    tiny = b"GET /livez HTTP/1.1\r\n\r\n"
    with connect(server) as connection:
        sending = threading.Thread(target=connection.sendall, args=(tiny * MANY,))
        sending.start()
        for _ in range(MANY):
            assert read_answer(connection).status == 200
        sending.join()


@pytest.mark.parametrize("request_bytes", [OPENAPI, b"GET /livez HTTP/1.1\r\n\r\n"])
def test_unread_answers_take_little_memory(server: Server, request_bytes: bytes) -> None:
    before = memory_mb(server)
    with ExitStack() as stack, server.client() as client:
        for _ in range(20):
            connection = stack.enter_context(connect(server, receive_buffer=4096))
            send_until_it_blocks(connection, request_bytes * (3_000_000 // len(request_bytes)))
        assert memory_mb(server) - before < 50
        assert client.get("/livez").status_code == 200


def test_bytes_that_wait_in_all_connections_are_limited(tmp_path: Path) -> None:
    limit = ("--max-buffered-bytes", "1048576")
    with (
        start_server(tmp_path / "data", "--trainer", "external", *limit) as server,
        server.client() as client,
        ExitStack() as stack,
    ):
        connections = [stack.enter_context(connect(server, receive_buffer=4096)) for _ in range(20)]
        for connection in connections:
            send_until_it_blocks(connection, OPENAPI * 60_000)
        eventually(lambda: any(map(is_broken, connections)), "a connection is closed")
        assert not all(map(is_broken, connections))
        assert any("INKLING_MAX_BUFFERED_BYTES" in line for line in server.log)
        assert client.get("/livez").status_code == 200


def is_broken(connection: socket.socket) -> bool:
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[0] != ESTABLISHED


def test_stream_of_a_client_that_left_behind_a_pipelined_request_ends(server: Server) -> None:
    with server.client() as client:
        client.post("/train", json={})
        with connect(server) as connection:
            connection.sendall(b"GET /train/1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" + LIVEZ)
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
        for _ in range(100):
            text = client.get("/metrics", headers={"Accept": "text/plain"}).text
            if 'route="/train/{run_id}/events"' in text:
                return
        raise AssertionError("the stream goes on")
