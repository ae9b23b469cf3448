"""Server-sent events of a run for tests: parsed, and recorded as a trainer does."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from inkling.network.recipe import TUTORIAL
from inkling.registry.records import Lease, Progress
from inkling.registry.registry import Registry


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
    events = [event for event in events if event.name != "stages"]
    while events[0].name == "preparing":
        assert events.pop(0).data["preparing"]
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
