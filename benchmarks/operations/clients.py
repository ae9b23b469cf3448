"""Client processes that send one image again and again on kept connections, and count the answers."""

import gzip
import multiprocessing
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

PROCESSES, CONNECTIONS = 4, 4
"""Client processes, and the kept connections of each; each connection has one request in flight."""
RENEWED_AFTER = 500
"""Requests after which a client opens another connection: of several workers, another one may take it."""
TIMEOUT_S = 60.0
HEADERS = {"Content-Type": "application/octet-stream", "Accept-Encoding": "gzip"}


@dataclass(frozen=True)
class Load:
    """What the clients send.

    Args:
        url: of the call.
        image: the body.
        answer: the body of each good answer.
        count: requests that each connection sends and gets answered; None: until they are told to end.
    """

    url: str
    image: bytes
    answer: bytes
    count: int | None = None


@dataclass
class Tally:
    """What the clients counted."""

    answered: int = 0
    compressed: int = 0
    """Answers among them that came with gzip."""
    connections: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    """Requests without a good answer, by what came instead; each was sent again."""
    slowest_s: float = 0.0

    def add(self, other: "Tally") -> None:
        self.answered += other.answered
        self.compressed += other.compressed
        self.connections += other.connections
        self.failed += other.failed
        self.slowest_s = max(self.slowest_s, other.slowest_s)


class Clients:
    """The client processes; they send from `start` to the end of their count, or to `end`."""

    def __init__(self, load: Load) -> None:
        context = multiprocessing.get_context("spawn")
        self._progress: Any = context.Array("q", PROCESSES * CONNECTIONS, lock=False)
        self._end = context.Event()
        self._tallies: Any = context.SimpleQueue()
        self._processes = [
            context.Process(target=_send_all, args=(load, number, self._progress, self._end, self._tallies))
            for number in range(PROCESSES)
        ]

    def start(self) -> None:
        for process in self._processes:
            process.start()

    @property
    def answered(self) -> int:
        """The answers so far."""
        return sum(self._progress)

    @property
    def are_sending(self) -> bool:
        return any(process.is_alive() for process in self._processes)

    def wait_for(self, answered: int) -> None:
        """Wait until this many requests are answered, or the clients have ended."""
        while self.answered < answered and self.are_sending:
            time.sleep(0.002)

    def end(self) -> Tally:
        """End the clients that have no count, wait for all, and return what they counted."""
        self._end.set()
        total = Tally()
        for _ in self._processes:
            total.add(self._tallies.get())
        for process in self._processes:
            process.join()
        return total


def _send_all(load: Load, number: int, progress: Any, end: Any, tallies: Any) -> None:
    tally, connections = Tally(), [_Connection(load, end) for _ in range(CONNECTIONS)]
    threads = [
        threading.Thread(target=connection.run, args=(progress, number * CONNECTIONS + slot))
        for slot, connection in enumerate(connections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for connection in connections:
        tally.add(connection.tally)
    tallies.put(tally)


class _Connection:
    def __init__(self, load: Load, end: Any) -> None:
        self._load = load
        self._end = end
        self.tally = Tally()

    def run(self, progress: Any, slot: int) -> None:
        tally, url = self.tally, urlsplit(self._load.url)
        connection = HTTPConnection(url.hostname or "", url.port, timeout=TIMEOUT_S)
        while tally.answered != self._load.count and not (self._load.count is None and self._end.is_set()):
            started = time.perf_counter()
            failure = self._ask(connection, url.path)
            tally.slowest_s = max(tally.slowest_s, time.perf_counter() - started)
            if failure:
                tally.failed[failure] += 1
                connection.close()
                continue
            tally.answered += 1
            progress[slot] = tally.answered
            if tally.answered % RENEWED_AFTER == 0:
                connection.close()
        connection.close()

    def _ask(self, connection: HTTPConnection, path: str) -> str:
        """Send one request; return what is wrong with its answer, or nothing."""
        try:
            self.tally.connections += connection.sock is None
            connection.request("POST", path, self._load.image, HEADERS)
            response = connection.getresponse()
            body = response.read()
        except (OSError, HTTPException) as error:
            return type(error).__name__
        if response.status != 200:
            return f"status {response.status}"
        if response.headers["Content-Encoding"] == "gzip":
            self.tally.compressed += 1
            body = gzip.decompress(body)
        return "" if body == self._load.answer else "another answer"
