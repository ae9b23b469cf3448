"""A request for another protocol is answered in HTTP/1.1, with its body."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servers import Server, start_server
from tests.support.sockets import LIVEZ, PREDICT, connect, read_answer

TRAIN = b"POST /train HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"
WEBSOCKET = b"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n"
OTHER = b"Connection: upgrade\r\nUpgrade: TLS/1.0, IRC/6.9\r\n"
JAVA_CALLS = Path(__file__).parents[2] / "support" / "HttpClientCalls.java"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with start_server(tmp_path / "data", "--trainer", "external") as server:
        yield server


@pytest.mark.parametrize("upgrade", [H2C, WEBSOCKET, OTHER])
@pytest.mark.parametrize("is_split", [False, True])
def test_upgrade_leaves_the_request_and_the_connection_as_they_are(
    server: Server, upgrade: bytes, is_split: bool
) -> None:
    body = b'{"promote": "never", "overrides": {"training_steps": 7}}'
    requests = [
        (TRAIN + upgrade + b"Content-Length: %d\r\n\r\n" % len(body), body, 202),
        (PREDICT + upgrade + b"Content-Length: 313600\r\n\r\n", bytes(313_600), 200),
        (PREDICT + upgrade + b"Transfer-Encoding: chunked\r\n\r\n", b"310\r\n" + bytes(784) + b"\r\n0\r\n\r\n", 200),
        (b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n" + upgrade + b"\r\n", b"", 200),
    ]
    with connect(server) as connection:
        for head, content, status in requests:
            parts = [head, content] if is_split else [head + content]
            for part in parts:
                connection.sendall(part)
            answer = read_answer(connection)
            assert answer.status == status, answer.body
            assert "upgrade" not in answer.headers
            if head.startswith(b"POST /train"):
                assert (answer.json()["promote"], answer.json()["recipe"]["training_steps"]) == ("never", 7)
            elif len(content) == 313_600:
                assert len(answer.json()["predictions"]) == 400


def test_pipelined_upgrades_are_answered_in_their_order(server: Server) -> None:
    request = PREDICT + H2C + b"Content-Length: 784\r\n\r\n" + bytes(784)
    with connect(server) as connection:
        connection.sendall((request + LIVEZ) * 30)
        lengths = [len(read_answer(connection).body) for _ in range(60)]
    assert len(set(lengths[0::2])) == len(set(lengths[1::2])) == 1


def test_upgrade_with_connection_close_ends_the_connection(server: Server) -> None:
    with connect(server) as connection:
        head = PREDICT + b"Connection: close, Upgrade\r\nUpgrade: h2c\r\nContent-Length: 784\r\n\r\n"
        connection.sendall(head + bytes(784))
        assert read_answer(connection).headers["connection"] == "close"
        assert connection.recv(1) == b""


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_curl_with_http2_keeps_its_body(server: Server) -> None:
    command = ["curl", "-s", "--http2", "--json", '{"promote": "never"}', f"{server.url}/train"]
    answer = subprocess.run(command, capture_output=True, timeout=60, check=True).stdout
    assert json.loads(answer)["promote"] == "never"


@pytest.mark.skipif(not shutil.which("javac"), reason="needs a JDK")
def test_javas_http_client_keeps_its_body(server: Server, tmp_path: Path) -> None:
    subprocess.run(["javac", "-d", str(tmp_path), str(JAVA_CALLS)], timeout=120, check=True)
    command = ["java", "-cp", str(tmp_path), "HttpClientCalls", server.url]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    (train, predict) = [line.split(" ", 1) for line in run.stdout.splitlines()]
    assert (train[0], json.loads(train[1])["promote"]) == ("202", "never")
    assert (predict[0], len(json.loads(predict[1])["predictions"])) == ("200", 300)
