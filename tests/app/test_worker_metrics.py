"""The metrics of several worker processes: any scrape answers for all, also for those that died."""

import http.client
import os
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.support.bodies import RAW
from tests.support.promtool import run_promtool
from tests.support.servers import Server, start_server, workers_of
from tests.support.services import eventually

METRICS_DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
CLIENTS, REQUESTS = 4, 400
MONOTONIC = re.compile(r"\w+_(total|bucket|count|sum)\b")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data_dir = tmp_path_factory.mktemp("workers") / "data"
    with start_server(data_dir, "--trainer", "external", "--workers", "4", "--decoders", "1") as server:
        yield server


class Client(threading.Thread):
    """Sends images on connections of its own, and counts the answers."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._address = httpx.URL(server.url)
        self.answered = self.lost = 0

    def run(self) -> None:
        connection = None
        for number in range(REQUESTS):
            try:
                connection = connection or http.client.HTTPConnection(
                    self._address.host, self._address.port, timeout=30
                )
                connection.request("POST", "/predict", bytes(784), {"Content-Type": RAW})
                response = connection.getresponse()
                response.read()
                self.answered += response.status == 200
                if number % 20 == 19:  # another worker may take the next one
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException):
                self.lost += 1
                connection = None


def scrape(server: Server) -> dict[str, float]:
    with server.client() as client:
        text = client.get("/metrics?format=prometheus").text
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")}


def predictions(samples: dict[str, float]) -> float:
    return sum(
        value for name, value in samples.items() if name.startswith("inkling_requests_total") and "/predict" in name
    )


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")
def test_scrapes_of_any_worker_are_what_the_clients_counted_and_never_go_back(server: Server) -> None:
    # given: clients at work
    clients = [Client(server) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    # when: a worker is killed amid them, and somebody scrapes all the time
    last: dict[str, float] = {}
    is_killed = False
    while any(client.is_alive() for client in clients):
        if not is_killed and sum(client.answered for client in clients) > CLIENTS * REQUESTS / 3:
            os.kill(workers_of(server)[1], signal.SIGKILL)
            is_killed = True
        try:
            samples = scrape(server)
        except httpx.TransportError:  # it came to the worker that was killed
            continue
        assert {name for name in last if MONOTONIC.match(name) and samples.get(name, -1) < last[name]} == set()
        last = samples
    # then
    answered, lost = sum(client.answered for client in clients), sum(client.lost for client in clients)
    assert is_killed
    assert answered > CLIENTS * REQUESTS / 2
    assert predictions(scrape(server)) == answered
    assert answered + lost == CLIENTS * REQUESTS
    eventually(lambda: scrape(server)["inkling_workers"] == 4, "the worker is replaced")
    assert {predictions(scrape(server)) for _ in range(8)} == {answered}
    samples = scrape(server)
    assert samples["process_open_fds"] > 40
    assert samples["process_cpu_seconds_total"] > 0


def test_promtool_finds_nothing_wrong_with_the_metrics(server: Server) -> None:
    # given: series of every kind
    with server.client() as client:
        client.post("/predict", content=bytes(784), headers={"Content-Type": RAW})
        client.post("/predict", content=b"x", headers={"Content-Type": RAW})
        client.post("/v2/models/mnist/infer", content=b"{")
        client.get("/nowhere%22%0A%5C")
        eventually(lambda: "inkling_versions 1.0" in client.get("/metrics?format=prometheus").text, "the registry's")
        exposition = client.get("/metrics?format=prometheus")
        openmetrics = client.get("/metrics", headers={"Accept": "application/openmetrics-text"})
    assert 'inkling_problems_total{type="not-an-image-of-a-digit"}' in exposition.text
    assert 'protocol="open_inference_v2"' in exposition.text
    families = text_string_to_metric_families(openmetrics.text)  # type: ignore[no-untyped-call]
    assert {family.name for family in families} >= {"inkling_runs", "inkling_images"}
    assert run_promtool("check", "metrics", text=exposition.text) == ""
    # and every metric is documented, with its type and its meaning
    helps = dict(re.findall(r"^# HELP (\S+) (.*)$", exposition.text, re.MULTILINE))
    types = dict(re.findall(r"^# TYPE (\S+) (.*)$", exposition.text, re.MULTILINE))
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| .* \| (.*) \|$", METRICS_DOCUMENT.read_text(), re.MULTILINE)
    assert sorted(rows) == sorted((name, types[name], helps[name]) for name in helps)


def test_errors_of_all_workers_are_listed_under_their_request_ids(server: Server) -> None:
    answered = set()
    for _ in range(20):  # each on a connection of its own: some worker takes it
        with server.client() as client:
            answered.add(client.get("/versions/999?secret=1").headers["x-request-id"])
    with server.client() as client:
        answer = client.get("/errors")
    errors = [error for error in answer.json()["items"] if error["request_id"] in answered]
    assert len(errors) == 20
    assert {(error["method"], error["route"], error["status"], error["problem"]) for error in errors} == {
        ("GET", "/versions/{version}", 422, "invalid-field")
    }
    assert [error["at"] for error in errors] == sorted((error["at"] for error in errors), reverse=True)
    assert "secret" not in answer.text
