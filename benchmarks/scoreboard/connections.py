"""Attacks by connections: unread answers, endless headers, slow sockets, event streams, file descriptors."""

import contextlib
import socket
import time
from collections import Counter

from benchmarks.scoreboard.arena import Arena, Server, wait_for
from benchmarks.scoreboard.inputs import RAW
from benchmarks.scoreboard.pictures import BLOCKED_MS, MEMORY
from benchmarks.scoreboard.row import Attack, Measured
from benchmarks.scoreboard.wire import CLOSED, SILENT, answer_within, connect, is_closed, read_answer, request

PIPELINE = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"


def _pipelined(arena: Arena) -> Measured:
    """Send requests until the server stops reading, and read no answer."""
    requests = arena.count(40_000, 10_000)
    with arena.server() as server, server.watch() as watch, connect(server, timeout_s=5) as connection:
        sent = 0
        with contextlib.suppress(OSError):
            for _ in range(requests // 100):
                connection.sendall(PIPELINE * 100)
                sent += 100
        time.sleep(1)
        fits, memory = server.fits(), server.memory()
    return Measured(
        f"one connection sends {requests:,} GET /openapi.json and reads nothing; {sent:,} were taken",
        f"{memory}; {watch.probes()}",
        fits and watch.probes_hold(),
    )


def _unread(arena: Arena) -> Measured:
    """Ask for large answers on many connections, and read none."""
    clients = arena.count(100, 30)
    with arena.server() as server, server.watch() as watch, contextlib.ExitStack() as stack:
        for _ in range(clients):
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.settimeout(3)
            stack.enter_context(connection)
            with contextlib.suppress(OSError):
                connection.connect(("127.0.0.1", server.port))
                connection.sendall(request("POST", "/predict", bytes(784 * 5000), Content_Type=RAW))
        time.sleep(1)
        fits, memory = server.fits(), server.memory()
    return Measured(
        f"{clients} clients send 5,000 images each and read no answer",
        f"{memory}; {watch.probes()}",
        fits and watch.probes_hold(),
    )


def _endless_header(arena: Arena) -> Measured:
    return _endless(arena, "one header line", b"X-Long: ", b"a" * (1 << 20), arena.count(128, 32))


def _many_headers(arena: Arena) -> Measured:
    return _endless(arena, "short header lines", b"", b"X: y\r\n" * (1 << 17), arena.count(128, 32))


def _endless(arena: Arena, what: str, begin: bytes, block: bytes, blocks: int) -> Measured:
    """Send a head that does not end; the server may discard a part of it, so that its answer is not lost."""
    with arena.server() as server, server.watch() as watch, connect(server, timeout_s=5) as connection:
        before_s, sent = server.cpu_s(), 0
        with contextlib.suppress(OSError):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + begin)
            for _ in range(blocks):
                connection.sendall(block)
                sent += len(block)
        found = answer_within(connection, 5)
        spent_s = server.cpu_s() - before_s
        fits, memory = server.fits(), server.memory()
    answered = {CLOSED: "closed without an answer", SILENT: "not closed"}.get(found.status, str(found.status))
    return Measured(
        f"{what} of up to {blocks} MB",
        f"{answered} after {sent / 1e6:.0f} MB; {spent_s:.1f} s of CPU; {watch.blocked()}; {memory}",
        fits
        and sent < blocks * len(block)
        and found.status != SILENT
        and spent_s < 1.0
        and max(watch.blocked_ms) < BLOCKED_MS,
    )


def _slow_sockets(arena: Arena) -> Measured:
    """Open connections that send a byte per second and never finish their headers."""
    clients = arena.count(300, 100)
    with arena.server() as server, server.watch() as watch, contextlib.ExitStack() as stack:
        opened = [stack.enter_context(connect(server)) for _ in range(clients)]
        for connection in opened:
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        started = time.monotonic()
        while opened and time.monotonic() - started < 60:
            time.sleep(1)
            opened = [connection for connection in opened if not is_closed(connection) and _drip(connection)]
        waited_s = time.monotonic() - started
        lives = server.lives()
    return Measured(
        f"{clients} connections send one byte of a header per second",
        (f"{len(opened)} still open after {waited_s:.0f} s" if opened else f"all closed after {waited_s:.0f} s")
        + f"; {watch.predictions()}",
        lives and not opened and watch.predictions_hold(),
    )


def _drip(connection: socket.socket) -> bool:
    try:
        connection.send(b"a")
    except OSError:
        return False
    return True


def _event_streams(arena: Arena) -> Measured:
    """Follow a run that waits, from many connections."""
    clients = arena.count(1000, 200)
    seconds = arena.count(10, 4)
    with arena.server() as server, contextlib.ExitStack() as stack:
        with server.client() as client:
            run = client.post("/train", json={}).raise_for_status().json()["id"]
        connections = [stack.enter_context(connect(server)) for _ in range(clients)]
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.sendall(request("GET", f"/train/{run}/events", Accept="text/event-stream"))
        time.sleep(3)
        kinds = Counter(_first_bytes(connection) for connection in connections)
        before_s = server.cpu_s()
        with server.watch() as watch:
            time.sleep(seconds)
        cores = (server.cpu_s() - before_s) / seconds
        fits, memory = server.fits(), server.memory()
    return Measured(
        f"{clients:,} event streams of one queued run, for {seconds} s; beside them probes and an ordinary client",
        f"{cores:.2f} CPU cores; {watch.probes()}; {watch.predictions()}; {memory}; {_counted(kinds)}",
        fits and cores < 0.5 and watch.probes_hold() and not set(kinds) - {"200", "429", "503", "closed"},
    )


def _first_bytes(connection: socket.socket) -> str:
    """Return the status of the answer that has begun, without waiting for its end."""
    connection.settimeout(1)
    try:
        head = connection.recv(4096)
    except TimeoutError:
        return "no answer"
    except OSError:
        return "closed"
    return head[9:12].decode("latin-1") if head else "closed"


def _counted(kinds: Counter[str]) -> str:
    return "answers: " + ", ".join(f"{count} x {kind}" for kind, count in sorted(kinds.items()))


def _descriptors(arena: Arena) -> Measured:
    """Let connections use up the server's file descriptors, then leave."""
    prefix = ("sh", "-c", 'ulimit -n 128 && exec "$@"', "sh")
    kinds: Counter[str] = Counter()
    with arena.server(prefix=prefix) as server:
        with contextlib.ExitStack() as stack:
            connections = [_opened(server, stack) for _ in range(200)]
            time.sleep(0.5)
            for connection in connections[::10]:
                if connection:
                    with contextlib.suppress(OSError):
                        connection.sendall(request("GET", "/versions"))
            time.sleep(0.5)
            kinds.update(str(answer_within(connection, 0.01).status) for connection in connections[::10] if connection)
        recovered = wait_for(server.process.is_ready, 10)
        tracebacks = server.log.count("Traceback")
        log_lines = server.log.count("\n")
    named = Counter({{"-1": "no answer", "0": "closed"}.get(kind, kind): count for kind, count in kinds.items()})
    return Measured(
        "a server that may open 128 files, 200 connections, every tenth asks for the versions",
        f"{_counted(named)}; {'answers again' if recovered else 'does not answer'} after they left; "
        f"{log_lines} lines of log, {tracebacks} tracebacks",
        recovered and not tracebacks and log_lines < 200 and not any(kind.startswith("500") for kind in named),
    )


def _opened(server: Server, stack: contextlib.ExitStack) -> socket.socket | None:
    try:
        return stack.enter_context(connect(server, timeout_s=1))
    except OSError:
        return None


def _chaos(arena: Arena) -> Measured:
    """Cut, garble and hang up at random, in every phase of a request."""
    random = arena.random("chaos")
    count = arena.count(5_000, 300)
    whole = request("POST", "/predict", bytes(784), Content_Type=RAW)
    bad: list[str] = []
    with arena.server() as server:
        for _ in range(count):
            data = bytearray(whole)
            kind = random.choice(["cut", "garble", "hang up", "twice"])
            if kind == "garble":
                for _ in range(random.randint(1, 8)):
                    data[random.randrange(120)] = random.randrange(256)
            with connect(server, timeout_s=2) as connection, contextlib.suppress(OSError):
                connection.sendall(
                    data[: random.randrange(len(data))] if kind == "cut" else data * (kind == "twice") + data
                )
                if kind == "twice":
                    found = read_answer(connection)
                    bad += [] if found.status == 200 else [f"{kind}: {found.status}"]
                elif kind == "garble":
                    connection.shutdown(socket.SHUT_WR)
                    found = read_answer(connection)
                    bad += [f"garbled: {found.status}"] if found.status >= 500 else []
        after = server.status_of("POST", "/predict", content=bytes(784), headers={"Content-Type": RAW})
        fits, log = server.fits(), server.log
    return Measured(
        f"{count:,} connections that are cut, garbled, doubled or hung up at random",
        f"{len(bad)} wrong answers {sorted(set(bad))[:3] or ''}; {log.count('Traceback')} tracebacks; then {after}",
        fits and not bad and after == 200 and "Traceback" not in log,
    )


CHEAP = "refused before its end; 1 s of CPU; blocked < 20 ms"
ATTACKS = (
    Attack("pipelined", "Pipelined requests whose answers are not read", f"{MEMORY}; probes p99 < 50 ms", _pipelined),
    Attack("unread", "Large answers that are never read", f"{MEMORY}; probes p99 < 50 ms", _unread),
    Attack(
        "endless-header",
        "A header line without end",
        "refused before its end; 1 s of CPU; blocked < 20 ms",
        _endless_header,
    ),
    Attack("many-headers", "Header lines without end", CHEAP, _many_headers),
    Attack(
        "slow-sockets",
        "Connections that are slow on purpose",
        "all closed within 60 s; ordinary predictions p99 < 100 ms",
        _slow_sockets,
    ),
    Attack("event-streams", "Idle event streams", "half a CPU core; probes p99 < 50 ms", _event_streams),
    Attack("descriptors", "File descriptors used up", "no 500, no traceback; answers again after it", _descriptors),
    Attack("chaos", "Random connections", "no wrong answer, no traceback", _chaos),
)
