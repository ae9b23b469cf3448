"""Four workers under load, one of them killed: what the metrics say, and what the clients counted."""

import os
import re
import signal
import threading
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

from benchmarks.operations.clients import CONNECTIONS, PROCESSES, Clients, Load, Tally
from benchmarks.operations.scrapes import Scrapes
from benchmarks.operations.servers import expected_answer, one_image, wait_until
from benchmarks.page import launch
from benchmarks.scoreboard.row import Measured
from benchmarks.verdicts import log_to_stderr
from tests.support.servers import Server, spawned_by, start_server, workers_of

WORKERS = 4
REQUESTS_PER_SCRAPE = 100
QUIET_SCRAPES = 200
REPLACED_S = 1.0


def measure(folder: Path, count: int) -> Measured:
    """Kill a worker amid `count` requests and the scrapes between them; compare the last scrape with the clients."""
    options = ("--trainer", "external", "--workers", str(WORKERS), "--decoders", "1")
    with start_server(folder / "data", *options) as server:
        wait_until(lambda: _started(server) == WORKERS)
        image = one_image()
        answer = expected_answer(f"{server.url}/predict", image)
        scrapes = Scrapes(server.url)
        before = scrapes.predictions()
        clients = Clients(Load(f"{server.url}/predict", image, answer, count // (PROCESSES * CONNECTIONS)))
        clients.start()
        replaced_s = _scrape_and_kill(server, clients, scrapes, count)
        tally = clients.end()
        amid = _percentiles(scrapes)
        counted = {scrapes.predictions() - before for _ in range(2 * WORKERS)}
        shown = _shown_by_the_page(server.url) - before
        scrapes.seconds.clear()
        for _ in range(QUIET_SCRAPES):
            scrapes.scrape()
        after = _Replacement(server)
        after.start()
        after.join()
    lost = sum(tally.failed.values())
    return Measured(
        _done(tally, count // REQUESTS_PER_SCRAPE, scrapes),
        f"answered {tally.answered:,}, without an answer {lost}, counted {_words(counted)}, on the page {shown:,}; "
        f"{len(scrapes.gone_back)} series went back; a scrape takes {amid} amid the load, {_percentiles(scrapes)} "
        f"after it; the worker was replaced after {replaced_s:.1f} s, one that is killed "
        f"without load after {after.seconds:.1f} s; the spare that took its place had {after.spare_mb:.0f} MB",
        len(counted) == 1
        and tally.answered <= min(counted) <= tally.answered + lost
        and lost <= PROCESSES * CONNECTIONS
        and counted == {shown}
        and not scrapes.gone_back
        and after.seconds <= REPLACED_S,
    )


def _scrape_and_kill(server: Server, clients: Clients, scrapes: Scrapes, count: int) -> float:
    """Scrape evenly over the load, and kill a worker halfway; return the seconds to its replacement."""
    scrapes.seconds.clear()
    watch = _Replacement(server)
    times = count // REQUESTS_PER_SCRAPE
    for number in range(times):
        clients.wait_for(number * REQUESTS_PER_SCRAPE)
        scrapes.scrape()
        if number == times // 2:
            watch.start()
        if number % 100 == 99:
            log_to_stderr(f"{number + 1} scrapes, {clients.answered:,} answers")
    watch.join()
    return watch.seconds


class _Replacement(threading.Thread):
    """Kills a worker, and waits for the one that replaces it."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._server = server
        self.seconds = self.spare_mb = 0.0

    def run(self) -> None:
        wait_until(lambda: len(spawned_by(self._server)) > WORKERS)
        self.spare_mb = _memory_mb(spawned_by(self._server)[-1])
        before, started = _started(self._server), time.perf_counter()
        os.kill(workers_of(self._server)[1], signal.SIGKILL)
        wait_until(lambda: _started(self._server) > before)
        self.seconds = time.perf_counter() - started


def _memory_mb(pid: int) -> float:
    """Return the memory of a process; of pages that it shares with others, its share."""
    kilobytes = re.search(r"^Pss: +(\d+) kB$", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    return int(kilobytes[1]) * 1024 / 1e6 if kilobytes else 0.0


def _started(server: Server) -> int:
    return sum("startup complete" in line for line in server.log)


def _percentiles(scrapes: Scrapes) -> str:
    p50, p99 = np.percentile(scrapes.seconds, [50, 99]) * 1000
    return f"p50 {p50:.1f} ms, p99 {p99:.1f} ms"


def _shown_by_the_page(url: str) -> int:
    """Return the requests of POST /predict that the place Service of the page shows."""
    with sync_playwright() as playwright, launch(playwright) as browser:
        page = browser.new_page(locale="en-GB")
        page.goto(f"{url}/#service")
        row = page.locator(".numbers tbody tr").filter(has=page.get_by_text("/predict", exact=True))
        return int(row.locator("td").first.inner_text().replace(",", ""))


def _done(tally: Tally, times: int, scrapes: Scrapes) -> str:
    return (
        f"{tally.answered:,} predictions by {PROCESSES} processes on {PROCESSES * CONNECTIONS} connections at a time; "
        f"{times:,} scrapes meanwhile, {scrapes.failed} of them repeated; one of {WORKERS} workers killed halfway"
    )


def _words(counts: set[int]) -> str:
    return " or ".join(f"{count:,}" for count in sorted(counts))
