"""A process of many attackers: each of its clients repeats one attack until the time is over.

It has the lowest priority of the machine, and each client an address of its own (127.0.1.x): the server can limit
them one by one.
"""

import asyncio
import contextlib
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.scoreboard import image_bombs, inputs
from benchmarks.scoreboard.inputs import FIT, JSON, RAW, Input
from benchmarks.scoreboard.wire import request

TIMEOUT_S = 30.0
CLOSED, SILENT, REFUSED = "closed", "silent", "not connected"
RUN = 1
"""The run whose events are followed."""


@dataclass
class Attacker:
    port: int
    address: str
    dice: random.Random
    ends_at: float

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port, local_addr=(self.address, 0))

    async def send(self, data: bytes) -> str:
        """Send a request, and return the status of its answer."""
        reader, writer = await self.connect()
        try:
            with contextlib.suppress(ConnectionError):  # it may answer before it has all
                writer.write(data)
                await asyncio.wait_for(writer.drain(), TIMEOUT_S)
            return await self.status(reader)
        finally:
            writer.close()

    async def status(self, reader: asyncio.StreamReader) -> str:
        try:
            head = await asyncio.wait_for(reader.read(4096), min(TIMEOUT_S, max(1.0, self.ends_at - time.monotonic())))
        except TimeoutError:
            return SILENT
        except ConnectionError:
            return CLOSED
        return head[9:12].decode("latin-1") if head else CLOSED


Bodies = dict[str, list[bytes]]
Act = Callable[[Attacker, Bodies], Awaitable[str]]


async def pictures(attacker: Attacker, bodies: Bodies) -> str:
    return await attacker.send(attacker.dice.choice(bodies["pictures"]))


async def slow_pictures(attacker: Attacker, bodies: Bodies) -> str:
    return await attacker.send(attacker.dice.choice(bodies["slow pictures"]))


async def texts(attacker: Attacker, bodies: Bodies) -> str:
    return await attacker.send(attacker.dice.choice(bodies["texts"]))


async def leavers(attacker: Attacker, bodies: Bodies) -> str:
    """Send a slow picture and hang up."""
    _, writer = await attacker.connect()
    with contextlib.suppress(ConnectionError):
        writer.write(attacker.dice.choice(bodies["slow pictures"]))
        await writer.drain()
        await asyncio.sleep(0.2)
    writer.close()
    return "left"


async def half_bodies(attacker: Attacker, bodies: Bodies) -> str:
    head = request("POST", "/predict", Content_Type=RAW, Content_Length=str(inputs.MAX_BYTES - 100))
    return await attacker.send(head + bodies["blank"][0])


async def pipelines(attacker: Attacker, bodies: Bodies) -> str:
    """Send requests until the server takes no more, and read no answer."""
    reader, writer = await attacker.connect()
    reader._transport.pause_reading()  # type: ignore[attr-defined]
    sent = 0
    try:
        while sent < 4000 and time.monotonic() < attacker.ends_at:
            writer.write(bodies["pipeline"][0])
            sent += 100
            await asyncio.wait_for(writer.drain(), 5)
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.transport.abort()
    return "unread"


async def unread_answers(attacker: Attacker, bodies: Bodies) -> str:
    reader, writer = await attacker.connect()
    reader._transport.pause_reading()  # type: ignore[attr-defined]
    with contextlib.suppress(TimeoutError, ConnectionError):
        writer.write(bodies["5,000 images"][0])
        await asyncio.wait_for(writer.drain(), TIMEOUT_S)
        await asyncio.sleep(min(20.0, max(0.0, attacker.ends_at - time.monotonic())))
    writer.transport.abort()
    return "unread"


async def endless_headers(attacker: Attacker, bodies: Bodies) -> str:
    _, writer = await attacker.connect()
    with contextlib.suppress(TimeoutError, ConnectionError):
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ")
        for _ in range(128):
            writer.write(b"a" * (1 << 20))
            await asyncio.wait_for(writer.drain(), 5)
    writer.transport.abort()
    return CLOSED


async def slow_headers(attacker: Attacker, bodies: Bodies) -> str:
    reader, writer = await attacker.connect()
    with contextlib.suppress(ConnectionError):
        writer.write(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        while time.monotonic() < attacker.ends_at and not reader.at_eof():
            writer.write(b"a")
            await writer.drain()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(reader.read(4096), 1)
    writer.close()
    return CLOSED


async def event_streams(attacker: Attacker, bodies: Bodies) -> str:
    """Follow one run 25 times."""
    opened = [await attacker.connect() for _ in range(25)]
    for _, writer in opened:
        writer.write(request("GET", f"/train/{RUN}/events", Accept="text/event-stream"))
    found = Counter([await attacker.status(reader) for reader, _ in opened])
    await asyncio.sleep(min(30.0, max(0.0, attacker.ends_at - time.monotonic())))
    for _, writer in opened:
        writer.transport.abort()
    return found.most_common(1)[0][0]


async def guesses(attacker: Attacker, bodies: Bodies) -> str:
    return await attacker.send(request("POST", "/train", b"{}", Authorization=f"Bearer {attacker.dice.random()}"))


async def floods(attacker: Attacker, bodies: Bodies) -> str:
    return await attacker.send(attacker.dice.choice(bodies["floods"]))


ACTS: dict[str, Act] = {
    "pictures": pictures,
    "slow pictures": slow_pictures,
    "texts": texts,
    "leavers": leavers,
    "half bodies": half_bodies,
    "pipelines": pipelines,
    "unread answers": unread_answers,
    "endless headers": endless_headers,
    "slow headers": slow_headers,
    "event streams": event_streams,
    "guesses": guesses,
    "floods": floods,
}


def make_bodies() -> Bodies:
    def requests(found: list[Input]) -> list[bytes]:
        return [request("POST", each.path, each.body, Content_Type=each.content_type) for each in found]

    floods = [
        Input("", path, kind, body)
        for path, kind, body in (
            ("/versions", RAW, bytes(900_000)),
            ("/train", JSON, inputs.unknown_keys(60_000)),
            ("/train", JSON, inputs.unknown_keys(inputs.MAX_BYTES)),
        )
    ]
    twelve = Input("", FIT, "image/png", image_bombs.png(4000, 3000, color=image_bombs.RGBA))
    return {
        "pictures": requests([*inputs.tall_pictures(), *inputs.large_pictures(), twelve]),
        "slow pictures": requests(inputs.slow_pictures()),
        "texts": requests([*inputs.texts(), *inputs.large_arrays()]),
        "blank": [bytes(15 << 20)],
        "pipeline": [b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100],
        "5,000 images": [request("POST", "/predict", bytes(784 * 5000), Content_Type=RAW)],
        "floods": requests(floods),
    }


async def _repeat(attacker: Attacker, act: Act, bodies: Bodies, counts: Counter[str]) -> None:
    while time.monotonic() < attacker.ends_at:
        try:
            counts[await act(attacker, bodies)] += 1
        except (OSError, TimeoutError) as error:
            counts[REFUSED if isinstance(error, ConnectionRefusedError) else CLOSED] += 1
        await asyncio.sleep(attacker.dice.uniform(0, 0.5))


async def _main(port: int, clients: int, seconds: float, seed: int) -> dict[str, Counter[str]]:
    bodies = make_bodies()
    print("started", flush=True)
    counts: dict[str, Counter[str]] = {name: Counter() for name in ACTS}
    ends_at = time.monotonic() + seconds
    names = list(ACTS)
    tasks = []
    for i in range(clients):
        name = names[i % len(names)]
        attacker = Attacker(port, f"127.0.1.{1 + i % 250}", random.Random(f"{seed} {i}"), ends_at)
        tasks.append(asyncio.create_task(_repeat(attacker, ACTS[name], bodies, counts[name])))
    await asyncio.wait(tasks, timeout=seconds + TIMEOUT_S)
    return counts


def _leave_cpus_to_server() -> None:
    """Run only when nobody else wants the CPU, as attackers on another machine would not want it.

    Linux shares CPUs between sessions first, if it groups tasks by session (sched(7), "The autogroup feature"): then
    the nice value counts only within a session.
    """
    os.nice(19)
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text("19")


if __name__ == "__main__":
    _leave_cpus_to_server()
    print(json.dumps(asyncio.run(_main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])))))
