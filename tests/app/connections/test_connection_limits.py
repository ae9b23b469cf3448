"""Many connections: the latest make room, and probes always get in."""

import resource
import socket
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from app.connections.limits import ConnectionLimits
from app.settings import Settings
from tests.support.bodies import RAW
from tests.support.servers import Server, start_changed_server, start_server
from tests.support.services import eventually
from tests.support.sockets import LIVEZ, PREDICT, check_refusal, connect, read_answer, read_answers

PROBES = ("/livez", "/readyz", "/metrics")
IDLE = b""
HALF_HEAD = b"GET /livez HTTP/1.1\r\nHost:"
HALF_BODY = PREDICT + b"Content-Length: 784\r\n\r\n" + bytes(10)
STREAM = b"GET /train/1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.mark.parametrize("begun", [IDLE, HALF_HEAD, HALF_BODY])
def test_probes_get_in_when_slow_clients_hold_all_connections(tmp_path: Path, begun: bytes) -> None:
    limits = ("--max-connections", "50", "--keep-alive-s", "60", "--client-timeout-s", "60")
    with start_server(tmp_path / "data", "--trainer", "external", *limits) as server, ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(connect(server)).sendall(begun)
        for _ in range(5):
            for path in PROBES:
                assert httpx.get(server.url + path, timeout=30).status_code == 200
            answer = httpx.post(f"{server.url}/predict", content=bytes(784), headers={"Content-Type": RAW}, timeout=30)
            assert answer.status_code == 200
        assert any("50 connections are open, the limit (INKLING_MAX_CONNECTIONS)" in line for line in server.log)


def test_connections_that_are_used_outlive_those_that_are_not(tmp_path: Path) -> None:
    limits = ("--max-connections", "50", "--keep-alive-s", "60")
    with (
        start_server(tmp_path / "data", "--trainer", "external", *limits) as server,
        server.client() as client,
        ExitStack() as stack,
    ):
        client.get("/livez")
        used = [stack.enter_context(connect(server)) for _ in range(5)]
        for _ in range(120):
            stack.enter_context(connect(server))
            for connection in used:
                connection.sendall(LIVEZ)
                assert read_answer(connection).status == 200


def test_connections_of_one_client_are_limited(tmp_path: Path) -> None:
    limits = ("--max-connections-per-client", "10", "--keep-alive-s", "60")
    with start_server(tmp_path / "data", "--trainer", "external", *limits) as server, ExitStack() as stack:
        connections = [stack.enter_context(connect(server)) for _ in range(30)]
        eventually(lambda: sum(map(is_closed, connections)) >= 20, "the oldest are closed")
        connections[-1].sendall(LIVEZ)
        assert read_answer(connections[-1]).status == 200
        assert any("INKLING_MAX_CONNECTIONS_PER_CLIENT" in line for line in server.log)


def test_connection_beyond_streams_that_fill_the_limit_is_503(tmp_path: Path) -> None:
    limits = ("--max-connections-per-client", "8", "--max-connections", "40")
    with start_server(tmp_path / "data", "--trainer", "external", *limits) as server, ExitStack() as stack:
        assert httpx.post(f"{server.url}/train").status_code == 202
        for _ in range(8):
            stream = stack.enter_context(connect(server))
            stream.sendall(STREAM)
            assert stream.recv(20).startswith(b"HTTP/1.1 200")
        with connect(server) as connection:
            connection.sendall(LIVEZ)
            (answer,) = read_answers(connection)
    detail = check_refusal(answer, 503)
    assert "8 connections are open, the limit (of one client, INKLING_MAX_CONNECTIONS_PER_CLIENT)" in detail
    assert int(answer.headers["retry-after"]) > 0


def test_event_streams_take_at_most_half_of_the_connections(tmp_path: Path) -> None:
    with (
        start_server(tmp_path / "data", "--trainer", "external", "--max-connections", "20") as server,
        ExitStack() as stack,
    ):
        assert httpx.post(f"{server.url}/train").status_code == 202
        for _ in range(10):
            stream = stack.enter_context(connect(server))
            stream.sendall(STREAM)
            assert stream.recv(20).startswith(b"HTTP/1.1 200")
        with connect(server) as connection:
            connection.sendall(STREAM)
            answer = read_answer(connection)
        assert answer.status == 503
        assert "10 event streams are open" in answer.json()["detail"]
        assert httpx.get(f"{server.url}/readyz").status_code == 200


LOW_LIMIT = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, ({files}, {files}))
from app.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_used_up_file_descriptors_are_503_and_cost_no_cpu(tmp_path: Path) -> None:
    # given: a server that may open few files, and more clients than that
    with (
        start_changed_server(LOW_LIMIT.format(files=64), tmp_path / "data", "--trainer", "external") as server,
        ExitStack() as stack,
    ):
        for _ in range(150):
            stack.enter_context(connect(server)).sendall(HALF_HEAD)
        # then: what it answers is right, or says that it is full
        statuses = set()
        for path in ("/livez", "/train", "/versions", "/", "/docs", "/promotions") * 5:
            try:
                statuses.add(httpx.get(server.url + path, timeout=30).status_code)
            except httpx.TransportError:
                continue  # the system closed it
        assert 200 in statuses
        assert statuses <= {200, 503}
        before = cpu_s(server)
        assert httpx.get(f"{server.url}/livez").status_code == 200
        assert cpu_s(server) - before < 1
        assert not any("Traceback" in line for line in server.log)
        assert any("INKLING_MAX_CONNECTIONS" in line for line in server.log)


def test_public_address_may_have_a_quarter_of_the_connections() -> None:
    limits = ConnectionLimits.from_settings(Settings(max_connections=100))
    assert [limits.of_client(host) for host in ("8.8.8.8", "2001:4860:4860::8888")] == [25, 25]
    for host in ("127.0.0.1", "::1", "10.0.0.7", "172.17.0.1", "192.168.1.1", "fd00::1", ""):
        assert limits.of_client(host) == 100
    chosen = ConnectionLimits.from_settings(Settings(max_connections=100, max_connections_per_client=7))
    assert [chosen.of_client(host) for host in ("8.8.8.8", "127.0.0.1")] == [7, 7]


def is_closed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    finally:
        connection.settimeout(60)


def cpu_s(server: Server) -> float:
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    ticks: int = int(fields[11]) + int(fields[12])
    return ticks / 100


def test_file_that_cannot_be_opened_is_503_until_there_are_descriptors_again(tmp_path: Path) -> None:
    with start_server(tmp_path / "data", "--trainer", "external") as server, server.client() as client:
        assert client.get("/livez").status_code == 200
        process = server.process.pid
        soft, hard = resource.prlimit(process, resource.RLIMIT_NOFILE)
        used = max(int(descriptor.name) for descriptor in Path(f"/proc/{process}/fd").iterdir())
        for allowed in range(used, 3, -1):
            resource.prlimit(process, resource.RLIMIT_NOFILE, (allowed, hard))
            page = client.get("/")
            assert page.status_code in (200, 503)
            if page.status_code == 503:
                break
        assert "no file descriptors left" in page.json()["detail"]
        assert int(page.headers["retry-after"]) > 0
        for path in ("/versions", "/train", "/promotions"):
            assert client.get(path).status_code in (200, 503)
        resource.prlimit(process, resource.RLIMIT_NOFILE, (soft, hard))
        for path in ("/", "/versions", "/train", "/promotions"):
            assert client.get(path).status_code == 200
