import socket
from pathlib import Path

import httpx

from tests.support.bodies import RAW
from tests.support.servers import Server, start_server

REQUEST = (
    b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/octet-stream\r\nContent-Length: 784\r\n"
)


def connect(server: Server) -> socket.socket:
    url = httpx.URL(server.url)
    return socket.create_connection((url.host, url.port or 0), timeout=30)


def test_head_and_body_come_in_one_packet(tmp_path: Path) -> None:
    with start_server(tmp_path / "data", "--trainer", "external") as server, connect(server) as connection:
        for _ in range(20):
            connection.sendall(REQUEST + b"\r\n" + bytes(784))
            head, _, body = connection.recv(65536).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK")
            assert f"content-length: {len(body)}".encode() in head
            assert body.endswith(b"}]}")


def test_last_answer_of_a_connection_comes_whole_before_its_end(tmp_path: Path) -> None:
    with start_server(tmp_path / "data", "--trainer", "external") as server, connect(server) as connection:
        connection.sendall(REQUEST + b"Connection: close\r\n\r\n" + bytes(784))
        answer = b""
        while received := connection.recv(65536):
            answer += received
        head, _, body = answer.partition(b"\r\n\r\n")
        assert f"content-length: {len(body)}".encode() in head
        with connect(server) as pipelined:
            pipelined.sendall(
                (REQUEST + b"\r\n" + bytes(784)) * 3 + REQUEST + b"Connection: close\r\n\r\n" + bytes(784)
            )
            answers = b""
            while received := pipelined.recv(65536):
                answers += received
            assert answers.count(b"HTTP/1.1 200 OK") == 4
        with server.client() as client:
            large = client.post("/predict", content=bytes(784 * 10_000), headers={"Content-Type": RAW})
            assert len(large.json()["predictions"]) == 10_000
