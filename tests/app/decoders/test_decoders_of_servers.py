"""The decoder processes of real servers: they end with the server, however it ends, and for clients that leave."""

import os
import re
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.app.decoders.test_pool import drawing, slow_file
from tests.support.bodies import PNG, image_file
from tests.support.servers import Server, start_server
from tests.support.services import eventually

pytestmark = pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux's /proc")


def children(server: Server) -> list[int]:
    """Return the decoder processes of a server."""
    tasks = Path(f"/proc/{server.process.pid}/task").glob("*/children")
    pids = [int(pid) for file in tasks for pid in file.read_text().split()]
    return [pid for pid in pids if "app.decoders.child" in Path(f"/proc/{pid}/cmdline").read_text()]


def is_alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def normalize_drawing(client: httpx.Client) -> httpx.Response:
    return client.post("/predict?fit=mnist", content=image_file(drawing()), headers={"Content-Type": PNG})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_decoder_outlives_its_server(tmp_path: Path, number: signal.Signals) -> None:
    with (
        start_server(tmp_path / "data", "--trainer", "external", "--decoders", "2") as server,
        server.client() as client,
    ):
        assert normalize_drawing(client).status_code == 200
        pids = eventually(lambda: found if len(found := children(server)) == 3 else None, "three decoders")
        assert pids
        server.process.send_signal(number)
        server.process.wait(20)
    eventually(lambda: not any(map(is_alive, pids)), "all have ended")


def test_work_for_a_client_that_has_left_is_ended(tmp_path: Path) -> None:
    with (
        start_server(tmp_path / "data", "--trainer", "external", "--decoders", "1") as server,
        server.client() as client,
    ):
        assert normalize_drawing(client).status_code == 200
        pids = children(server)
        body = slow_file().content
        address = httpx.URL(server.url)
        with socket.create_connection((address.host, address.port or 80)) as leaving:
            head = f"POST /predict?fit=mnist HTTP/1.1\r\nHost: {address.host}\r\nContent-Type: image/jpeg\r\n"
            leaving.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            eventually(lambda: metric(client, "inkling_decoder_running") == 1, "it is being decoded")
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)  # so that it cannot end by itself
        eventually(lambda: metric(client, 'inkling_decoder_ends_total{cause="killed"}') == 1, "it was killed")
        for pid in filter(is_alive, pids):
            os.kill(pid, signal.SIGCONT)
        assert normalize_drawing(client).status_code == 200


def metric(client: httpx.Client, name: str) -> float | None:
    found = re.search(rf"^{re.escape(name)} (\S+)$", client.get("/metrics?format=prometheus").text, re.MULTILINE)
    return float(found[1]) if found else None


def test_probes_and_small_pictures_are_answered_while_slow_ones_wait(tmp_path: Path) -> None:
    body = slow_file().content
    with (
        start_server(tmp_path / "data", "--trainer", "external", "--decoders", "1") as server,
        server.client(120) as client,
    ):

        def send_slow(_: int) -> httpx.Response:
            return client.post("/predict?fit=mnist", content=body, headers={"Content-Type": "image/jpeg"})

        assert normalize_drawing(client).status_code == 200
        with ThreadPoolExecutor(40) as threads:
            slow = [threads.submit(send_slow, i) for i in range(40)]
            eventually(lambda: (metric(client, "inkling_decoder_waiting") or 0) > 2, "some wait")
            assert normalize_drawing(client).status_code == 200
            assert client.get("/livez").status_code == 200
            assert not all(future.done() for future in slow)
            answers = [future.result() for future in slow]
    statuses = {answer.status_code for answer in answers}
    assert statuses <= {422, 503}
    for answer in answers:
        if answer.status_code == 503:
            assert 1 <= int(answer.headers["retry-after"]) <= 60
            # where the CPU is busy, some have their turn too late
            assert re.search("wait already|not done within 60 s", answer.json()["detail"])
