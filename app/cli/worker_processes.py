"""Uvicorn's supervisor of worker processes, which ends in time whatever they do."""

import logging
import signal
import time
from socket import socket
from types import FrameType
from typing import TYPE_CHECKING

from uvicorn.config import Config
from uvicorn.supervisors import Multiprocess

from app.observability.counter_file import CounterFile

if TYPE_CHECKING:
    from fastapi import FastAPI

START_S = 60
"""Seconds that the replacement of a worker may take to start; uvicorn's 5 are too few on a busy machine."""

logger = logging.getLogger("uvicorn.error")


class WorkerApp:
    """Creates the application of each worker process, around counters that all of them share."""

    def __init__(self) -> None:
        self._counters = CounterFile()

    def __call__(self) -> "FastAPI":
        from app.main import create_configured_app  # noqa: PLC0415  the supervisor needs none of it

        return create_configured_app(self._counters)


class WorkerProcesses(Multiprocess):
    """Takes no connections any more when it stops, and kills a worker that does not end."""

    def __init__(self, config: Config, sockets: list[socket], exit_s: float) -> None:
        """Supervise workers.

        Args:
            config: of uvicorn.
            sockets: on which all workers listen.
            exit_s: seconds from the beginning of a stop until a worker ends by itself.
        """
        super().__init__(config, sockets)
        self._exit_s = exit_s
        self._asked_at: float | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def terminate_all(self) -> None:
        super().terminate_all()
        for listener in self.sockets:
            listener.close()  # else clients would wait for nobody, and be reset at the end

    def join_all(self) -> None:
        deadline = (self._asked_at or time.monotonic()) + self._exit_s + 0.3  # after their own
        for process in self.processes:
            process.process.join(max(0.0, deadline - time.monotonic()))
            if process.process.is_alive():
                logger.error("worker process %d did not end within %g s: killed", process.process.pid, self._exit_s)
                process.kill()
                process.process.join()

    def handle_hup(self) -> None:
        """Replace the workers one by one: each goes when its replacement serves."""
        usual_s, self.config.timeout_worker_healthcheck = self.config.timeout_worker_healthcheck, START_S
        try:
            super().handle_hup()
        finally:
            self.config.timeout_worker_healthcheck = usual_s

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._asked_at = self._asked_at or time.monotonic()
        self.signal_queue.append(number)
        self.should_exit.set()  # ends the wait for a replacement, too
