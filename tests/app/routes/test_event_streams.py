"""Event streams of real servers: broken connections, and a stop under load."""

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from app.settings import Settings
from tests.support.bodies import RAW
from tests.support.events import Event, claim, parse, record, steps_of
from tests.support.servers import Server, start_server
from tests.support.services import open_registry

STREAMS = 20
REQUESTERS = 4
EXIT_S = 10.0


def test_client_that_loses_its_connection_again_and_again_misses_nothing(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    every = list(range(10, 1010, 10))
    with (
        start_server(settings.data_dir, "--trainer", "external") as server,
        server.client() as client,
        open_registry(settings) as registry,
        ThreadPoolExecutor(1) as threads,
    ):
        run = claim(registry)

        def train() -> None:
            for step in every:
                record(registry, run, step)
            registry.runs.cancel(1)

        training = threads.submit(train)
        seen: list[Event] = []
        while not seen or seen[-1].name != "end":
            last = seen[-1].id if seen else None
            with client.stream("GET", "/train/1/events", headers={"Last-Event-ID": last or "0"}) as response:
                for count, event in enumerate(parse(response.iter_lines())):
                    seen.append(event)
                    if count == 6:
                        break
        training.result()
    assert steps_of(seen) == every


@pytest.mark.train
def test_training_is_watched_from_its_start_to_its_end(server: Server) -> None:
    overrides = {"training_steps": 200, "batch_size": 64, "validation_size": 200, "display_step": 50}
    with server.client(timeout_s=120) as client:
        location = client.post("/train", json={"overrides": overrides, "promote": "never"}).headers["location"]
        with client.stream("GET", f"{location}/events") as response:
            events = list(parse(response.iter_lines()))  # to the end of the stream, which the server makes
        run = client.get(location).json()
    assert steps_of(events) == [50, 100, 150, 200]
    assert [event.data for event in events if event.name == "progress"] == run["progress"]
    stages = [event.data["stages"] for event in events if event.name in ("stages", "end")]
    assert stages[-1] == run["stages"]
    assert all(run["stages"][: len(before)] == before for before in stages)
    assert len(stages) > 1
    assert (events[-1].data["state"], events[-1].data["version"]) == ("succeeded", 2)


@pytest.mark.unmeasured
@pytest.mark.parametrize(("workers", "times"), [(1, 7), (2, 3)])
def test_sigterm_ends_twenty_streams_under_load_ten_times_of_ten(tmp_path: Path, workers: int, times: int) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    with open_registry(settings) as registry:
        record(registry, claim(registry), 100)
    for _ in range(times):
        with start_server(settings.data_dir, "--trainer", "external", "--workers", str(workers)) as server:
            seconds = stop_under_load(server)
        assert seconds < EXIT_S
        wrong = [line for line in server.log if "Traceback" in line or "ERROR" in line]
        assert wrong == []


def stop_under_load(server: Server) -> float:
    """Stop a server that has open streams and requests; return the seconds that it took.

    Raises:
        AssertionError: a stream or an answer broke off, or the exit code is not 0.
    """
    stopped = threading.Event()
    opened = threading.Barrier(STREAMS + REQUESTERS + 1)
    begun: set[int] = set()

    def watch() -> list[Event]:
        with server.client() as client, client.stream("GET", "/train/1/events") as response:
            events = parse(response.iter_lines())
            first = next(events)
            opened.wait(30)
            return [first, *events]  # a stream that breaks off raises httpx.RemoteProtocolError

    def ask() -> int:
        answered = 0
        with server.client() as client:
            try:
                while True:
                    headers = {"Content-Type": RAW}
                    with client.stream("POST", "/predict", content=bytes(78_400), headers=headers) as response:
                        assert response.status_code == 200
                        begun.add(threading.get_ident())
                        response.read()
                        begun.remove(threading.get_ident())
                    answered += 1
                    if answered == 1:
                        opened.wait(30)
            except httpx.TransportError:
                if not stopped.is_set() or threading.get_ident() in begun:
                    raise  # the server runs, or an answer that has begun is not ended
        return answered

    with ExitStack() as stack:
        threads = stack.enter_context(ThreadPoolExecutor(STREAMS + REQUESTERS))
        streams = [threads.submit(watch) for _ in range(STREAMS)]
        requests = [threads.submit(ask) for _ in range(REQUESTERS)]
        opened.wait(30)
        stopped.set()
        started = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0
        seconds = time.monotonic() - started
        for stream in streams:
            assert [event.id for event in stream.result()] == ["100"]
        assert all(request.result() for request in requests)
    return seconds
