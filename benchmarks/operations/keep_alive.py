"""Requests on kept connections through a real nginx, below a path and compressed."""

import time
from pathlib import Path

from benchmarks.operations.clients import CONNECTIONS, PROCESSES, Clients, Load
from benchmarks.operations.servers import expected_answer, one_image
from benchmarks.scoreboard.row import Measured
from benchmarks.verdicts import log_to_stderr
from tests.support.nginx import BELOW_A_PATH, start_nginx
from tests.support.servers import start_server


def measure(folder: Path, count: int) -> Measured:
    """Send `count` requests through nginx, and count the failed ones."""
    with (
        start_server(folder / "data", "--trainer", "external", INKLING_TRUSTED_PROXIES="127.0.0.1") as server,
        start_nginx(folder, [server.url.removeprefix("http://")], BELOW_A_PATH) as site,
    ):
        url = f"{site}/inkling/predict"
        image = one_image()
        load = Load(url, image, expected_answer(url, image), count // (PROCESSES * CONNECTIONS))
        clients = Clients(load)
        started = time.perf_counter()
        clients.start()
        for tenth in range(1, 11):
            clients.wait_for(tenth * count // 10)
            log_to_stderr(f"{clients.answered:,} answers")
        tally = clients.end()
        rate = tally.answered / (time.perf_counter() - started)
    failed = sum(tally.failed.values())
    return Measured(
        f"{tally.answered:,} predictions through nginx below `/inkling/` with gzip, by {PROCESSES} processes on "
        f"{PROCESSES * CONNECTIONS} kept connections",
        f"{failed} failed{reasons(tally.failed)}; {tally.compressed:,} answers came compressed; "
        f"{tally.connections} connections to nginx; {rate:,.0f} per second",
        not failed and tally.compressed == tally.answered,
    )


def reasons(failed: dict[str, int]) -> str:
    return f" ({', '.join(f'{count} x {reason}' for reason, count in failed.items())})" if failed else ""
