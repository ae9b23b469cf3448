"""The cost of servers that only watch a registry: SQL statements of an idle one, CPU time of one with many streams."""

import re
import socket
import tempfile
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path

from benchmarks.processes import running_inkling
from benchmarks.verdicts import log_to_stderr
from inkling.network.recipe import TUTORIAL
from inkling.registry.records import Progress
from inkling.registry.registry import Registry
from tests.support.postgres import start_postgres

STREAMS = 1000
LINES_PER_S = 2
WATCHED_S = IDLE_S = 20.0
SETTLE_S = 3.0


def idle() -> dict[str, str]:
    """Return the SQL statements per second that a server on PostgreSQL sends while nobody asks it for anything."""
    with (
        start_postgres() as postgres,
        tempfile.TemporaryDirectory() as folder,
        running_inkling(Path(folder), INKLING_DATABASE_URL=postgres.url()),
    ):
        postgres.execute("ALTER SYSTEM SET log_statement = 'all'")
        postgres.execute("SELECT pg_reload_conf()")
        time.sleep(SETTLE_S)
        log = postgres.folder / "log"
        before = len(log.read_text())
        time.sleep(IDLE_S)
        statements = re.findall(r"LOG:  (?:statement|execute [^:]*): ", log.read_text()[before:])
    return {"SQL statements of an idle server on PostgreSQL": f"{len(statements) / IDLE_S:.1f} per second"}


def watched(url: str, data_dir: Path) -> dict[str, str]:
    """Return the CPU time of a server whose clients watch a run, which records progress twice per second."""
    recipe = TUTORIAL.with_overrides({"training_steps": 1_000_000, "display_step": 1000})
    ended = threading.Event()
    with (
        closing(Registry(url)) as registry,
        ExitStack() as stack,
        running_inkling(data_dir, "--max-connections", str(2 * STREAMS + 100)) as server,
    ):
        registry.runs.queue(recipe, "never", max_queued=1)
        lease = registry.runs.claim(24 * 3600, "benchmark")
        if lease is None:
            raise RuntimeError("the run cannot be claimed")

        def train() -> None:
            step = 0
            while not ended.wait(1 / LINES_PER_S):
                step += 1
                registry.runs.record_progress(lease, Progress(step, 1.0, 0.9, None, 1.0))

        training = threading.Thread(target=train)
        training.start()
        request = f"GET /train/{lease.run.id}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        streams = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(STREAMS)]
        for stream in streams:
            stream.sendall(request)
        for stream in streams:
            if not stream.recv(100).startswith(b"HTTP/1.1 200"):
                raise RuntimeError("a stream was refused")
        time.sleep(SETTLE_S)
        before, started = server.cpu_s(), time.monotonic()
        while time.monotonic() - started < WATCHED_S:
            time.sleep(1)
            for stream in streams:
                stream.recv(65_536)
        share = (server.cpu_s() - before) / (time.monotonic() - started)
        ended.set()
        training.join()
        registry.runs.cancel(lease.run.id)
    log_to_stderr(f"{STREAMS} event streams: {100 * share:.1f} % of a core")
    return {f"{STREAMS:,} event streams, {LINES_PER_S} events per second each": f"{100 * share:.0f} % of a core"}
