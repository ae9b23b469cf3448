"""The drain: load balancers learn of a stop before anything changes for clients."""

import os
import signal
import threading
from pathlib import Path

import httpx

from tests.app.connections.test_stop import READYZ, is_alive
from tests.support.nginx import start_nginx
from tests.support.servers import spawned_by, start_server, workers_of
from tests.support.services import eventually
from tests.support.sockets import LIVEZ, PREDICT, connect, read_answer, read_answers

RAW = {"Content-Type": "application/octet-stream"}


def test_everything_goes_on_while_a_server_drains(tmp_path: Path) -> None:
    with (
        start_server(tmp_path / "data", "--trainer", "external", "--drain-s", "3") as server,
        connect(server) as kept,
        connect(server) as upload,
    ):
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: any("SIGHUP changes nothing" in line for line in server.log), "one worker goes on at SIGHUP")
        upload.sendall(PREDICT + b"Content-Length: 784\r\n\r\n")  # begins before the stop
        kept.sendall(LIVEZ)
        assert read_answer(kept).status == 200
        server.process.send_signal(signal.SIGTERM)
        eventually(lambda: httpx.get(f"{server.url}/readyz").status_code == 503, "/readyz says 503")
        for _ in range(3):  # on a kept connection
            kept.sendall(LIVEZ)
            answer = read_answer(kept)
            assert (answer.status, answer.headers.get("connection")) == (200, None)
        kept.sendall(READYZ)
        assert read_answer(kept).status == 503
        assert httpx.post(f"{server.url}/predict", content=bytes(784), headers=RAW).status_code == 200

        def close() -> bool:
            kept.sendall(LIVEZ)
            return read_answer(kept).headers.get("connection") == "close"

        eventually(close, "the drain ends, and the connection with it")
        upload.sendall(bytes(784))  # ends after the drain
        (answer,) = read_answers(upload)
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert server.process.wait(30) == 0


def test_no_request_fails_behind_nginx_while_one_of_two_servers_stops(tmp_path: Path) -> None:
    with (
        start_server(tmp_path / "data", "--trainer", "external") as first,
        start_server(tmp_path / "data", "--trainer", "external") as second,
    ):
        upstreams = [server.url.removeprefix("http://") for server in (first, second)]
        passed = 'location / { proxy_pass http://inkling; proxy_http_version 1.1; proxy_set_header Connection ""; }'
        site = passed.replace("; }", "; proxy_set_header Host 127.0.0.1; }")
        with start_nginx(tmp_path, upstreams, site) as url:
            statuses: list[int] = []
            is_over = threading.Event()

            def ask() -> None:
                with httpx.Client(base_url=url) as client:
                    while not is_over.is_set():
                        statuses.append(client.post("/predict", content=bytes(784), headers=RAW).status_code)

            clients = [threading.Thread(target=ask) for _ in range(4)]
            for client in clients:
                client.start()
            eventually(lambda: len(statuses) > 100, "requests are answered")
            first.process.send_signal(signal.SIGTERM)
            assert first.process.wait(30) == 0
            before = len(statuses)
            eventually(lambda: len(statuses) > before + 100, "the other server answers")
            is_over.set()
            for client in clients:
                client.join()
        assert set(statuses) == {200}


def test_killed_and_hung_workers_are_replaced_and_sighup_replaces_all(tmp_path: Path) -> None:
    with start_server(tmp_path / "data", "--trainer", "external", "--workers", "2") as server:

        def are_ready(count: int) -> bool:
            return sum("startup complete" in line for line in server.log) == count

        eventually(lambda: are_ready(2), "both workers serve")
        eventually(lambda: len(spawned_by(server)) == 3, "a spare is started")
        killed, other = workers_of(server)
        spare = spawned_by(server)[-1]
        os.kill(killed, signal.SIGKILL)
        assert httpx.get(f"{server.url}/readyz").status_code == 200
        eventually(lambda: are_ready(3), "another worker serves")
        assert workers_of(server) == [other, spare]
        failed: list[object] = []
        is_over = threading.Event()

        def ask() -> None:
            while not is_over.is_set():
                try:
                    failed.extend(s for s in [httpx.get(f"{server.url}/readyz").status_code] if s not in (200, 503))
                except httpx.TransportError as error:
                    failed.append(error)

        client = threading.Thread(target=ask)
        client.start()
        before = spawned_by(server)
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: are_ready(5) and not any(is_alive(pid) for pid in before), "all workers are new")
        is_over.set()
        client.join()
        assert failed == []
        hung, other = workers_of(server)
        eventually(lambda: len(spawned_by(server)) == 3, "there is a spare again")
        os.kill(spawned_by(server)[-1], signal.SIGKILL)
        os.kill(hung, signal.SIGSTOP)
        eventually(lambda: are_ready(6), "the worker that hangs is replaced")
        assert other in workers_of(server)
        assert len(workers_of(server)) == 2
