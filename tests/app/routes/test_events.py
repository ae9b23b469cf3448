import anyio
import httpx
import pytest

from app.serving.run_feeds import FeedReader, RunFeed
from app.settings import Settings
from inkling.network.checkpoint import Checkpoint
from inkling.network.recipe import TUTORIAL
from inkling.registry.records import Decision, Progress, Snapshot, StageName
from inkling.registry.registry import Registry
from inkling.registry.runs import Runs
from tests.support.events import claim, events_of, parse, record, steps_of
from tests.support.services import connect

pytestmark = pytest.mark.anyio

STAGES: tuple[StageName, ...] = ("reading images", "compiling", "training", "measuring")


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


@pytest.mark.parametrize("last", ["", " ", "x", "-1", "1.5", "2147483648", "1" + "0" * 5000, "²", "٣", "0x10", "1_0"])
async def test_last_event_id_that_is_no_step_is_ignored(
    client: httpx.AsyncClient, registry: Registry, last: str
) -> None:
    record(registry, claim(registry), 100, 200)
    registry.runs.cancel(1)
    response = await client.get("/train/1/events", headers={b"Last-Event-ID": last.encode()})
    assert steps_of(events_of(response)) == [100, 200]


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


async def test_preparation_is_sent_whenever_it_changes_until_the_first_step(registry: Registry) -> None:
    # given
    run, feed = claim(registry), RunFeed()

    def publish() -> None:
        feed.publish(registry.runs.get(1), registry.runs.progress(1, after=feed.step))

    reader = FeedReader(feed, step=0)
    # when
    sent = b""
    for preparing in ("loading", "drawing: 0 of 10", "drawing: 10 of 10"):
        registry.runs.report_preparation(run, preparing)
        publish()
        sent += reader.take()
        assert reader.take() == b""
    record(registry, run, 100)
    registry.runs.cancel(1)
    publish()
    while not reader.is_done:
        sent += reader.take()
    # then
    events = list(parse(iter(sent.decode().splitlines())))
    assert [event.name for event in events] == ["preparing"] * 3 + ["progress", "end"]
    assert [event.data for event in events[:3]] == [
        {"preparing": "loading"},
        {"preparing": "drawing: 0 of 10"},
        {"preparing": "drawing: 10 of 10"},
    ]


async def test_stages_are_sent_whenever_one_begins(registry: Registry) -> None:
    # given
    run, feed = claim(registry), RunFeed()
    reader = FeedReader(feed, step=0)
    # when
    sent = b""
    for stage in STAGES:
        registry.runs.enter_stage(run, stage)
        registry.runs.enter_stage(run, stage)  # as after a lost connection
        feed.publish(registry.runs.get(1), [])
        sent += reader.take()
        assert reader.take() == b""
    # then
    events = list(parse(iter(sent.decode().splitlines())))
    assert [event.name for event in events] == ["stages"] * len(STAGES)
    assert [stage["name"] for stage in events[-1].data["stages"]] == list(STAGES)
    started = [stage["started_at"] for stage in events[-1].data["stages"]]
    assert started == sorted(started)
