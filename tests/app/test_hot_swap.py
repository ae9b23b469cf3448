"""Promotions under load, on two real workers: every answer is whole, and of the version that it names."""

import http.client
import os
import re
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from inkling.network.checkpoint import Checkpoint
from inkling.network.classifier import Classifier
from tests.support.bodies import NPY, RAW
from tests.support.servers import Server, start_server
from tests.support.services import eventually, retrained

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux's /proc"),
    pytest.mark.unmeasured,
]

WORKERS = 2
CONNECTIONS = 3
"""To each worker."""
VERSIONS = 7
PROMOTIONS = 100
REGISTRY_POLL_S = 0.25
DEADLINE_S = 5.0
"""Workers follow within a second; the rest is for busy processors."""
MAX_GROWTH_KB = 20_000
NPY_HEADER = 128


@dataclass
class Load:
    """Requests one after another on kept connections, until it is told to stop; every answer is checked."""

    expected: dict[int, list[bytes]]
    """Version -> the probabilities of each image, as bytes."""
    images: NDArray[np.uint8]
    is_ended: threading.Event = field(default_factory=threading.Event)
    served: dict[int, list[int]] = field(default_factory=dict)
    """Connection -> the versions that answered, each once in a row."""
    answers: int = 0

    def run(self, name: int, connection: http.client.HTTPConnection) -> int:
        """Ask until the end; return how many answers came.

        Raises:
            AssertionError: an answer is not 200, or not of the version that it names.
        """
        seen = self.served[name]
        headers = {"Content-Type": RAW, "Accept": NPY}
        count = 0
        while not self.is_ended.is_set():
            index = count % len(self.images)
            connection.request("POST", "/predict", self.images[index].tobytes(), headers)
            response = connection.getresponse()
            body = response.read()
            assert response.status == 200, body
            version = int(response.headers["X-Model-Version"])
            assert body[NPY_HEADER:] == self.expected[version][index], f"not the answer of version {version}"
            if not seen or seen[-1] != version:
                seen.append(version)
            count += 1
        return count

    def is_all_of(self, version: int) -> bool:
        return all(seen and seen[-1] == version for seen in self.served.values())


def workers_of(server: Server) -> list[int]:
    """Return the process ids of a server's workers, once all have started."""
    eventually(
        lambda: sum("Application startup complete" in line for line in server.log) == WORKERS, "the workers' start"
    )
    started = [re.search(r"Started server process \[(\d+)\]", line) for line in server.log]
    return [int(match[1]) for match in started if match]


def connect_to(server: Server, others: list[int]) -> list[http.client.HTTPConnection]:
    """Return connections that one worker has accepted: the others are asleep meanwhile."""
    for other in others:
        os.kill(other, signal.SIGSTOP)
    try:
        url = httpx.URL(server.url)
        connections = [http.client.HTTPConnection(url.host, url.port, timeout=60) for _ in range(CONNECTIONS)]
        for connection in connections:
            connection.request("GET", "/livez")
            assert connection.getresponse().read()
        return connections
    finally:
        for other in others:
            os.kill(other, signal.SIGCONT)


def resident_kb(process: int) -> int:
    match = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    assert match
    return int(match[1])


@contextmanager
def running(load: Load, connections: list[http.client.HTTPConnection]) -> Iterator[None]:
    """Have a load run on these connections; what it finds wrong is raised at the end."""
    load.served = {name: [] for name in range(len(connections))}
    load.is_ended.clear()
    with ThreadPoolExecutor(len(connections)) as threads:
        asking = [threads.submit(load.run, name, connection) for name, connection in enumerate(connections)]
        try:
            eventually(lambda: all(load.served.values()) or any(asked.done() for asked in asking), "first answers")
            yield
        finally:
            load.is_ended.set()
        load.answers += sum(asked.result() for asked in asking)


def connect_to_each(server: Server, workers: list[int]) -> list[http.client.HTTPConnection]:
    return [
        connection
        for worker in workers
        for connection in connect_to(server, [other for other in workers if other != worker])
    ]


def test_versions_are_swapped_under_load_without_a_wrong_answer(
    tmp_path: Path, shipped: Checkpoint, digits: NDArray[np.uint8]
) -> None:
    # given: two workers, seven versions, and kept connections to each worker
    checkpoints = {1: shipped, **{version: retrained(shipped, version) for version in range(2, VERSIONS + 1)}}
    expected = {
        version: [Classifier(c, version).probabilities(digit[np.newaxis]).tobytes() for digit in digits]
        for version, c in checkpoints.items()
    }
    assert len({answers[0] for answers in expected.values()}) == VERSIONS  # so that a mixed answer would show
    arguments = ("--trainer", "external", "--workers", str(WORKERS), "--registry-poll-s", str(REGISTRY_POLL_S))
    with start_server(tmp_path / "data", *arguments) as server, server.client() as client:
        workers = workers_of(server)
        assert len(workers) == WORKERS
        for version in range(2, VERSIONS + 1):
            assert client.post("/versions", content=checkpoints[version].content).json()["version"] == version
        connections = connect_to_each(server, workers)
        load = Load(expected, digits)

        def promote(version: int, *, is_awaited: bool) -> None:
            assert client.put("/versions/current", json={"version": version}).is_success
            if is_awaited:
                eventually(lambda: load.is_all_of(version), f"version {version} from all", DEADLINE_S)

        # when: versions are promoted in their order
        with running(load, connections):
            for version in range(2, VERSIONS + 1):
                promote(version, is_awaited=version % 2 == 1)
        # then: on no connection one goes back
        for seen in load.served.values():
            assert seen == sorted(seen)
            assert seen[-1] == VERSIONS

        # when: two versions are promoted back and forth
        with running(load, connections):
            for count in range(1, PROMOTIONS + 1):
                promote(1 + count % 2, is_awaited=count % 4 == 0)
                if count == 10:
                    early_kb = [resident_kb(worker) for worker in workers]
            promote(2, is_awaited=True)
            late_kb = [resident_kb(worker) for worker in workers]
        # then: every answer was checked by the load, and the memory has not grown
        assert load.answers > 1000
        assert all(late - early < MAX_GROWTH_KB for early, late in zip(early_kb, late_kb, strict=True))
        for connection in connections:
            connection.close()
        listed = client.get("/promotions?limit=100").json()["items"]
        assert [item["version"] for item in listed[:3]] == [2, 1, 2]
