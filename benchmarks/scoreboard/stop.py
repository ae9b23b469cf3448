"""The stop: SIGTERM with work in flight, in one process and in two."""

import contextlib
import signal
import socket
import threading
import time
from collections import Counter

from benchmarks.scoreboard import image_bombs
from benchmarks.scoreboard.arena import Arena, Server
from benchmarks.scoreboard.inputs import FIT, RAW
from benchmarks.scoreboard.pictures import statuses
from benchmarks.scoreboard.row import Attack, Measured
from benchmarks.scoreboard.wire import CLOSED, Answer, connect, exchange, post, read_answer, request

STOP_S = 10.0
"""Compose sends SIGKILL after it."""


def _in_flight(server: Server, stack: contextlib.ExitStack, answers: list[Answer]) -> list[threading.Thread]:
    """Begin one of each: slow pictures, an event stream, half a body, half a header, an idle connection, no reader."""
    picture = image_bombs.noise_png(1500, 1)
    slow = image_bombs.progressive_jpeg(3000, 1000)
    with server.client() as client:
        run = client.post("/train", json={}).raise_for_status().json()["id"]
    half = request("POST", "/predict", Content_Type=RAW, Content_Length="784") + bytes(100)
    begun = (
        request("GET", f"/train/{run}/events"),
        half,
        b"GET / HTTP/1.1\r\nHost: local",
        b"",
        request("POST", "/predict", bytes(784 * 5000), Content_Type=RAW),
        request("POST", FIT, slow, Content_Type="image/jpeg"),
    )
    for data in begun:
        connection = stack.enter_context(connect(server))
        connection.sendall(data)

    def ordinary() -> None:
        answers.append(post(server, FIT, picture, "image/png"))

    threads = [threading.Thread(target=ordinary) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    return threads


def _terminate(server: Server) -> float:
    """Send SIGTERM; return the seconds until the end, and kill what does not end."""
    started = time.monotonic()
    server.process.popen.send_signal(signal.SIGTERM)
    try:
        server.process.popen.wait(3 * STOP_S)
    except Exception:
        return float("inf")
    return time.monotonic() - started


def _stop(arena: Arena, workers: int) -> Measured:
    answers: list[Answer] = []
    with arena.server("--workers", str(workers)) as server, contextlib.ExitStack() as stack:
        threads = _in_flight(server, stack, answers)
        seconds = _terminate(server)
        for thread in threads:
            thread.join()
        code = server.process.popen.poll()
        tracebacks = server.log.count("Traceback")
    reset = sum(answer.status == CLOSED for answer in answers)
    return Measured(
        f"SIGTERM with {workers} worker(s), 4 pictures in work, a JPEG of 1,000 scans, an event stream, half a body, "
        "half a header, an idle connection and an answer that nobody reads",
        f"ended after {seconds:.1f} s with exit code {code}; the 4 pictures: {statuses(answers)}; "
        f"{tracebacks} tracebacks",
        seconds < STOP_S and code in (0, -signal.SIGTERM) and not reset and not tracebacks,
    )


def _one_process(arena: Arena) -> Measured:
    return _stop(arena, 1)


def _two_processes(arena: Arena) -> Measured:
    return _stop(arena, 2)


def _balancer(arena: Arena) -> Measured:
    """Send requests as through a load balancer, which stops sending when /readyz is not 200."""
    random = arena.random("stop")
    counts: Counter[str] = Counter()
    seconds = []
    stops = arena.count(6, 2)
    seen_503 = 0
    for _ in range(stops):
        with arena.server() as server:
            balancer = _Balancer(server)
            balancer.start()
            time.sleep(random.uniform(0.3, 1.0))
            seconds.append(_terminate(server))
            counts.update(balancer.end())
            seen_503 += balancer.has_seen_503
    lost = counts["lost"]
    return Measured(
        f"{stops} stops under a load balancer that probes /readyz every 50 ms, with 4 clients",
        f"{counts['answered']:,} requests answered, {lost} lost; /readyz said 503 before {seen_503} of {stops} ends; "
        f"the slowest took {max(seconds):.1f} s",
        not lost and seen_503 == stops and max(seconds) < STOP_S,
    )


class _Balancer:
    """Clients that send while the server is ready."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._is_ready = True
        self._counts: Counter[str] = Counter()
        self.has_seen_503 = False
        self._threads = [threading.Thread(target=self._probe), *(threading.Thread(target=self._send) for _ in range(4))]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> Counter[str]:
        for thread in self._threads:
            thread.join()
        return self._counts

    def _probe(self) -> None:
        while self._is_ready:
            status = _status(self._server, request("GET", "/readyz"))
            self.has_seen_503 |= status == 503
            self._is_ready = status == 200
            time.sleep(0.05)

    def _send(self) -> None:
        data = request("POST", "/predict", bytes(784), Content_Type=RAW, Connection="close")
        while self._is_ready:
            status = _status(self._server, data)
            self._counts["answered" if status == 200 else "lost"] += 1
            time.sleep(0.005)


def _status(server: Server, data: bytes) -> int:
    try:
        return exchange(server, data, 10).status
    except OSError:
        return CLOSED


def _kept_connections(arena: Arena) -> Measured:
    """Stop while requests run on kept connections: one that has been sent is answered."""
    cut = 0
    count = arena.count(40, 10)
    with arena.server() as server, contextlib.ExitStack() as stack:
        connections = [stack.enter_context(connect(server)) for _ in range(count)]
        for connection in connections:
            connection.sendall(request("POST", "/predict", bytes(784), Content_Type=RAW))
            cut += read_answer(connection).status != 200
        picture = image_bombs.noise_png(600, arena.seed)
        for connection in connections:
            connection.sendall(request("POST", FIT, picture, Content_Type="image/png"))
        time.sleep(0.05)
        server.process.popen.send_signal(signal.SIGTERM)
        answers = [_read(connection) for connection in connections]
        server.process.popen.wait(3 * STOP_S)
    lost = sum(answer.status in (CLOSED, 500, 502) for answer in answers)
    return Measured(
        f"SIGTERM while {count} kept connections wait for the answer to a picture",
        f"answers: {statuses(answers)}; {cut} failed before",
        not lost and not cut,
    )


def _read(connection: socket.socket) -> Answer:
    try:
        return read_answer(connection)
    except OSError:
        return Answer(CLOSED)


ATTACKS = (
    Attack("stop", "SIGTERM with everything in flight", "ends within 10 s, no ordinary request reset", _one_process),
    Attack("stop-workers", "The same with two workers", "ends within 10 s, no ordinary request reset", _two_processes),
    Attack("stop-balancer", "A stop behind a load balancer", "no request lost; /readyz says 503 first", _balancer),
    Attack("stop-kept", "A stop with kept connections", "every request that was sent is answered", _kept_connections),
)
