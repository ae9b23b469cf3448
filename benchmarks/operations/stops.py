"""Two servers behind a real nginx, stopped and started in turn while clients send."""

import signal
import time
from pathlib import Path

import httpx

from benchmarks.operations.clients import CONNECTIONS, PROCESSES, Clients, Load
from benchmarks.operations.keep_alive import reasons
from benchmarks.operations.servers import expected_answer, one_image, wait_until
from benchmarks.processes import free_port, serve_command, start
from benchmarks.scoreboard.row import Measured
from benchmarks.verdicts import log_to_stderr
from tests.support.nginx import BELOW_A_PATH, start_nginx

STOPS = 10


def measure(folder: Path, count: int) -> Measured:
    """Stop one of two servers STOPS times in turn, amid at least `count` requests, and count the failed ones."""
    servers = [_Server(folder), _Server(folder)]
    try:
        with start_nginx(folder, [f"127.0.0.1:{server.port}" for server in servers], BELOW_A_PATH) as site:
            url = f"{site}/inkling/predict"
            image = one_image()
            clients = Clients(Load(url, image, expected_answer(url, image)))
            clients.start()
            took_s = []
            for number in range(STOPS):
                clients.wait_for(count * (number + 1) // STOPS)
                took_s.append(servers[number % 2].restart())
                log_to_stderr(f"stop {number + 1} took {took_s[-1]:.1f} s; {clients.answered:,} answers")
            tally = clients.end()
    finally:
        for server in servers:
            server.process.stop()
    failed = sum(tally.failed.values())
    return Measured(
        f"{STOPS} times SIGTERM to one of two servers behind nginx, in turn, each started again; {PROCESSES} client "
        f"processes on {PROCESSES * CONNECTIONS} connections",
        f"{tally.answered:,} answered, {failed} failed{reasons(tally.failed)}; the slowest answer took "
        f"{tally.slowest_s:.2f} s, the slowest stop {max(took_s):.1f} s",
        not failed,
    )


class _Server:
    """A server on a fixed port; both have one registry."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._data_dir = folder / "data"
        self._start()

    def restart(self) -> float:
        """Stop it, start it again, and wait until nginx sends to it; return the seconds of the stop."""
        started = time.perf_counter()
        self.process.popen.send_signal(signal.SIGTERM)
        self.process.popen.wait(60)
        seconds = time.perf_counter() - started
        self._start()
        wait_until(self._predicts)
        return seconds

    def _start(self) -> None:
        self.process = start(
            serve_command(self.port, self._data_dir), self.port, {"INKLING_TRUSTED_PROXIES": "127.0.0.1"}
        )
        self.process.wait_for(self.process.is_ready)

    def _predicts(self) -> bool:
        return 'route="/predict"' in httpx.get(f"{self.process.url}/metrics?format=prometheus", timeout=60).text
