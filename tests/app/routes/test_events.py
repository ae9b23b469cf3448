import json
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from app.settings import Settings
from inkling.network.checkpoint import Checkpoint
from inkling.network.recipe import TUTORIAL
from inkling.registry.records import Decision, Lease, Progress, Snapshot
from inkling.registry.registry import Registry
from inkling.registry.runs import Runs
from tests.support.bodies import RAW
from tests.support.servers import Server, start_server
from tests.support.services import connect, open_registry

STREAMS = 20
REQUESTERS = 4
EXIT_S = 10.0


@dataclass(frozen=True)
class Event:
    name: str
    id: str | None
    data: dict[str, Any]


def parse(lines: Iterator[str]) -> Iterator[Event]:
    """Read a stream of server-sent events; comments keep it open and say nothing."""
    fields: dict[str, str] = {}
    for line in lines:
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(": ")
            assert name in ("event", "id", "data")
            fields[name] = value
        elif fields:
            yield Event(fields["event"], fields.get("id"), json.loads(fields["data"]))
            fields = {}
    assert not fields, "the stream ends in the middle of an event"


def events_of(response: httpx.Response) -> list[Event]:
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    return list(parse(iter(response.text.splitlines())))


def steps_of(events: list[Event]) -> list[int]:
    """Return the steps of a stream's progress; check that it ended as it must: once, after them."""
    assert [event.name for event in events] == ["progress"] * (len(events) - 1) + ["end"]
    for event in events[:-1]:
        assert event.id == str(event.data["step"])
    return [event.data["step"] for event in events[:-1]]


def claim(registry: Registry, lease_s: float = 600) -> Lease:
    """Queue a run and hold it as a trainer does."""
    registry.runs.queue(TUTORIAL, "never", max_queued=10)
    claimed = registry.runs.claim(lease_s, owner="a test")
    assert claimed
    return claimed


def record(registry: Registry, claim: Lease, *steps: int) -> None:
    for step in steps:
        registry.runs.record_progress(claim, Progress(step, 100.0 / step, 0.5, None, step / 1000))


pytestmark = pytest.mark.anyio


async def test_run_that_has_ended_sends_each_step_and_then_its_end(
    client: httpx.AsyncClient, registry: Registry, shipped: Checkpoint
) -> None:
    # given
    run = claim(registry)
    record(registry, run, 100, 200, 300)
    registry.publish(run, shipped, lambda served: Decision(False, "a test"))
    # when
    response = await client.get("/train/1/events")
    # then
    events = events_of(response)
    assert steps_of(events) == [100, 200, 300]
    detail = (await client.get("/train/1")).json()
    assert [event.data for event in events[:-1]] == detail["progress"]
    assert events[-1].data == {name: detail[name] for name in events[-1].data}
    assert (events[-1].data["state"], events[-1].data["version"]) == ("succeeded", 2)
    assert "no-cache" in response.headers["cache-control"]


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ("0", [100, 200, 300]),
        ("1", [100, 200, 300]),
        ("100", [200, 300]),
        ("250", [300]),
        ("300", []),
        ("2147483647", []),
    ],
)
async def test_last_event_id_resumes_behind_it(
    client: httpx.AsyncClient, registry: Registry, last: str, expected: list[int]
) -> None:
    record(registry, claim(registry), 100, 200, 300)
    registry.runs.cancel(1)
    response = await client.get("/train/1/events", headers={"Last-Event-ID": last})
    assert steps_of(events_of(response)) == expected


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "2147483648", "1" + "0" * 30])
async def test_last_event_id_that_is_no_step_is_422(client: httpx.AsyncClient, registry: Registry, last: str) -> None:
    claim(registry)
    response = await client.get("/train/1/events", headers={"Last-Event-ID": last})
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert [error["field"] for error in response.json()["errors"]] == ["header.last-event-id"]


async def test_unknown_run_is_a_problem_before_the_stream_begins(client: httpx.AsyncClient) -> None:
    response = await client.get("/train/7/events")
    assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")
    assert response.json()["detail"] == "there is no run 7; GET /train lists them"
    assert (await client.get("/train/0/events")).status_code == 422


async def test_queued_run_is_waited_for_and_then_sent_as_it_comes(
    client: httpx.AsyncClient, registry: Registry
) -> None:
    registry.runs.queue(TUTORIAL, "never", max_queued=10)
    streams: list[httpx.Response] = []

    async def watch(last: int) -> None:
        streams.append(await client.get("/train/1/events", headers={"Last-Event-ID": str(last)}))

    async with anyio.create_task_group() as tasks:
        for last in (0, 0, 200):
            tasks.start_soon(watch, last)
        await anyio.sleep(0.1)  # so that the streams begin before there is progress; the claim holds without
        assert streams == []
        run = registry.runs.claim(600, owner="a test")
        assert run
        for step in range(100, 1100, 100):
            record(registry, run, step)
            await anyio.sleep(0.05)
        registry.runs.fail(run, "diverged", "the loss is not finite")
    every = list(range(100, 1100, 100))
    assert sorted(steps_of(events_of(stream)) for stream in streams) == [every, every, every[2:]]
    end = events_of(streams[0])[-1].data
    assert (end["state"], end["error_type"], end["error"]) == ("failed", "diverged", "the loss is not finite")


async def test_cancelled_run_ends(client: httpx.AsyncClient, registry: Registry) -> None:
    claim(registry)
    streams: list[httpx.Response] = []

    async def watch() -> None:
        streams.append(await client.get("/train/1/events"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        assert (await client.delete("/train/1")).is_success
    (end,) = events_of(streams[0])
    assert (end.name, end.id, end.data["state"]) == ("end", None, "cancelled")


async def test_steps_recorded_again_by_the_second_attempt_are_sent_once(
    client: httpx.AsyncClient, registry: Registry
) -> None:
    # given: a run that died at step 300, with a snapshot of step 100, and a client that saw step 200
    first = claim(registry, lease_s=0)
    record(registry, first, 100)
    registry.runs.save_snapshot(first, Snapshot(100, b"state"))
    record(registry, first, 200, 300)
    # when: it goes on from its snapshot
    second = registry.runs.claim(600, owner="another")
    assert second
    assert (second.run.id, second.run.attempt) == (1, 2)
    record(registry, second, 200, 300, 400)
    registry.runs.cancel(1)
    # then
    assert steps_of(events_of(await client.get("/train/1/events"))) == [100, 200, 300, 400]
    response = await client.get("/train/1/events", headers={"Last-Event-ID": "200"})
    assert steps_of(events_of(response)) == [300, 400]


async def test_stream_ends_without_end_when_the_server_stops(
    settings: Settings, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams: list[httpx.Response] = []
    looks: list[int] = []
    progress = Runs.progress

    def counted(self: Runs, run_id: int, after: int = 0) -> list[Progress]:
        looks.append(after)
        return progress(self, run_id, after)

    monkeypatch.setattr(Runs, "progress", counted)
    async with anyio.create_task_group() as tasks, connect(settings) as client:
        record(registry, claim(registry), 100)

        async def watch() -> None:
            streams.append(await client.get("/train/1/events"))

        tasks.start_soon(watch)
        with anyio.fail_after(30):
            while 100 not in looks:  # then step 100 has been sent
                await anyio.sleep(0.01)
        assert streams == []  # the server stops at the end of this block, with the stream open
    assert [event.id for event in events_of(streams[0])] == ["100"]


# real servers


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
    assert [event.data for event in events[:-1]] == run["progress"]
    assert (events[-1].data["state"], events[-1].data["version"]) == ("succeeded", 2)


@pytest.mark.usefixtures("unmeasured")
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
