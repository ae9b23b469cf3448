"""Attacks by bodies: nested JSON, unknown keys, bodies that are half sent, bodies of those who have no key."""

import contextlib
import time

from benchmarks.scoreboard import inputs
from benchmarks.scoreboard.arena import Arena
from benchmarks.scoreboard.pictures import BLOCKED_MS, CPU_S, MEMORY, are_orderly, send, statuses
from benchmarks.scoreboard.row import Attack, Measured
from benchmarks.scoreboard.wire import SILENT, answer_within, connect, is_closed, request

ANSWER_BYTES = 64 << 10
ABANDONED_S = 90
KEY = "scoreboard-key"


def _costly_text(arena: Arena) -> Measured:
    sent = [each for each in inputs.texts() if each.path == inputs.STRICT][:: arena.count(1, 3)]
    spent_s, answers = [], []
    with arena.server() as server:
        for each in sent:
            before_s = server.cpu_s()
            answers.append(send(server, each))
            spent_s.append(server.cpu_s() - before_s)
        return Measured(
            f"{len(sent)} bodies of 1.5 to 16 MB: JSON of empty lists, of small numbers, nested; forms of many parts",
            f"{server.memory()}; at most {max(spent_s):.1f} s of CPU each; answers: {statuses(answers)}",
            server.fits() and max(spent_s) <= CPU_S and are_orderly(answers),
        )


def _unknown_keys(arena: Arena) -> Measured:
    sent = [inputs.Input("", "/train", inputs.JSON, inputs.unknown_keys(size)) for size in (60_000, 16 << 20)]
    with arena.server() as server, server.watch() as watch:
        answers = [send(server, each) for each in sent]
        fits, memory = server.fits(), server.memory()
    largest = max(len(answer.body) for answer in answers)
    return Measured(
        "training requests of 60 KB and 16 MB, full of unknown keys",
        f"the largest answer has {largest:,} bytes; {watch.blocked()}; {memory}; answers: {statuses(answers)}",
        fits
        and largest <= ANSWER_BYTES
        and max(watch.blocked_ms) < BLOCKED_MS
        and all(400 <= answer.status < 500 for answer in answers),
    )


def _half_sent(arena: Arena) -> Measured:
    """Send most of a large body, and wait."""
    clients = arena.count(100, 30)
    size = 16 << 20
    chunk = bytes(15 << 20)
    with arena.server() as server, server.watch() as watch, contextlib.ExitStack() as stack:
        connections = [stack.enter_context(connect(server, timeout_s=2)) for _ in range(clients)]
        head = request("POST", "/predict", Content_Type=inputs.RAW, Content_Length=str(size - 100))
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.sendall(head + chunk)
        time.sleep(1)
        answers = [answer_within(connection, 0.01) for connection in connections]
        fits, memory = server.fits(), server.memory()
    waiting = sum(answer.status == SILENT for answer in answers)
    refused = [answer for answer in answers if answer.status != SILENT]
    return Measured(
        f"{clients} clients send 15 of 16 MB and wait",
        f"{memory}; {len(refused)} refused ({statuses(refused)}), {waiting} waiting; {watch.predictions()}",
        fits and watch.predictions_hold() and all(answer.status in (0, 408, 413, 429, 503) for answer in refused),
    )


def _abandoned(arena: Arena) -> Measured:
    """Wait until the server ends the requests whose bodies never come."""
    with arena.server() as server, contextlib.ExitStack() as stack:
        connections = [stack.enter_context(connect(server)) for _ in range(10)]
        for connection in connections:
            connection.sendall(request("POST", "/predict", Content_Type=inputs.RAW, Content_Length="784") + bytes(100))
        started = time.monotonic()
        opened = connections
        while opened and time.monotonic() - started < ABANDONED_S:
            time.sleep(0.2)
            opened = [connection for connection in opened if not is_closed(connection)]
        waited_s = time.monotonic() - started
    return Measured(
        "10 clients send 100 of 784 bytes, and nothing more",
        f"{len(opened)} still open after {waited_s:.0f} s" if opened else f"all ended after {waited_s:.0f} s",
        not opened,
    )


def _without_key(arena: Arena) -> Measured:
    """Declare a large body with a wrong key: it is refused before the body comes."""
    answers = []
    with arena.server(environment={"INKLING_API_KEY": KEY}) as server:
        for path in ("/train", "/versions"):
            for authorization in ("", "Bearer wrong-key"):
                with connect(server, timeout_s=3) as connection:
                    head = request(
                        "POST", path, Authorization=authorization, Content_Type=inputs.JSON, Content_Length="60000"
                    )
                    connection.sendall(head)
                    answers.append(answer_within(connection, 3))
    unread = sum(answer.status == 401 for answer in answers)
    return Measured(
        "4 requests with no key or a wrong one, whose body of 60 KB is declared and never sent",
        f"{unread} of {len(answers)} refused with 401 within 3 s",
        unread == len(answers),
    )


ATTACKS = (
    Attack("costly-text", "JSON and forms that are costly to parse", f"3 s of CPU; {MEMORY}", _costly_text),
    Attack(
        "unknown-keys",
        "Unknown keys that come back in the answer",
        f"answers of at most 64 KB; blocked < 20 ms; {MEMORY}",
        _unknown_keys,
    ),
    Attack(
        "half-sent", "Large bodies that are never finished", f"{MEMORY}; ordinary predictions p99 < 100 ms", _half_sent
    ),
    Attack("abandoned", "Bodies that stop coming", "every connection is ended within 90 s", _abandoned),
    Attack("without-key", "Bodies of those who have no key", "401 before the body is read", _without_key),
)
