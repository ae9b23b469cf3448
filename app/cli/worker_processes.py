"""Uvicorn's supervisor of worker processes, which ends in time whatever they do."""

import contextlib
import logging
import os
import signal
import time
from queue import Empty, SimpleQueue
from socket import socket
from types import FrameType
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, WeakSet

from uvicorn.config import STARTUP_FAILURE, Config
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from app.cli.spare_worker import SpareWorker
from app.connections.listening import HANDSHAKE_S, begin_no_handshake
from app.connections.stop import CLOSE_S
from app.observability.counter_file import CounterFile

if TYPE_CHECKING:
    from fastapi import FastAPI

START_S = 60
"""Seconds that a worker may take to start; uvicorn's 5 are too few on a busy machine."""
LOOK_S = 0.5
"""Between two looks at the workers, if nothing happens."""

logger = logging.getLogger("uvicorn.error")


class WorkerApp:
    """Creates the application of each worker process, around counters that all of them share."""

    def __init__(self) -> None:
        self._counters = CounterFile()

    def __call__(self) -> "FastAPI":
        from app.main import create_configured_app  # noqa: PLC0415  the supervisor needs none of it

        return create_configured_app(self._counters)


class WorkerProcesses(Multiprocess):
    """Replaces workers as soon as they die, and takes no connections any more when it stops.

    A spare worker that has imported everything replaces the first that dies; another spare follows when all serve.
    """

    def __init__(
        self, config: Config, sockets: list[socket], *, drain_s: float, stop_s: float, owns_sockets: bool
    ) -> None:
        """Supervise workers.

        Args:
            config: of uvicorn.
            sockets: on which all workers listen.
            drain_s: seconds from the beginning of a stop in which everything goes on.
            stop_s: seconds after the drain until a worker ends by itself.
            owns_sockets: whether nobody accepts from the sockets when this server has ended.
        """
        super().__init__(config, sockets)
        self._drain_s, self._exit_s = drain_s, drain_s + stop_s
        self._owns_sockets = owns_sockets
        self._asked_at: float | None = None
        self._answered_at: WeakKeyDictionary[Process, float] = WeakKeyDictionary()
        self._serving: WeakSet[Process] = WeakSet()
        self._spare: SpareWorker | None = None
        self._spare_after = 0.0
        self._wakes: SimpleQueue[None] = SimpleQueue()  # its `put` may interrupt its `get`
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note_stop)
        signal.signal(signal.SIGHUP, self._note)
        signal.signal(signal.SIGCHLD, lambda number, frame: self._wakes.put(None))

    def run(self) -> None:
        """Supervise as uvicorn does, but look at once when a worker has ended, or a signal has come."""
        logger.info("Started parent process [%d]", os.getpid())
        self.init_processes()
        while not self.should_exit.is_set():
            with contextlib.suppress(Empty):
                self._wakes.get(timeout=LOOK_S)
            self.handle_signals()
            self.keep_subprocess_alive()
            self._keep_spare()
        self.terminate_all()
        self.join_all()
        logger.info("Stopping parent process [%d]", os.getpid())

    def keep_subprocess_alive(self) -> None:
        """Replace the workers that have died, and those that hang."""
        for index, process in enumerate(self.processes):
            if self.should_exit.is_set():
                return
            if process.process.is_alive() and not self._hangs(process):
                continue
            process.kill()
            process.join()
            if process.exitcode == STARTUP_FAILURE:
                logger.error("Child process [%d] failed to start, stopping the parent process.", process.pid)
                self.should_exit.set()
                return
            logger.info("Child process [%d] died", process.pid)
            self.processes[index] = self._replacement()

    def terminate_all(self) -> None:
        self._end_spare()
        super().terminate_all()

    def join_all(self) -> None:
        self._join_until(self._drain_s + CLOSE_S - HANDSHAKE_S)
        for listener in self.sockets:
            if self._owns_sockets:
                begin_no_handshake(listener.fileno())
            listener.close()  # else clients would wait for nobody, and be reset at the end
        self._join_until(self._exit_s + 0.3)  # after their own
        for process in self.processes:
            if process.process.is_alive():
                logger.error("worker process %d did not end within %g s: killed", process.pid, self._exit_s)
                process.kill()
                process.process.join()

    def handle_hup(self) -> None:
        """Replace the workers one by one: each goes when its replacement serves.

        The spare is not among them: what it has imported may be older than what is installed now.
        """
        self._end_spare()
        usual_s, self.config.timeout_worker_healthcheck = self.config.timeout_worker_healthcheck, START_S
        try:
            super().handle_hup()
        finally:
            self.config.timeout_worker_healthcheck = usual_s

    def _replacement(self) -> Process:
        """Return a worker that is about to serve: the spare, or a new process."""
        spare, self._spare = self._spare, None
        if spare and spare.process.is_alive():
            spare.serve()
            return spare
        process = Process(self.config, self.sockets)
        process.start()
        return process

    def _keep_spare(self) -> None:
        """Start a spare when all workers serve: before, it would delay them."""
        now = time.monotonic()
        if self._spare and not self._spare.process.is_alive():
            logger.warning("Spare process [%d] died", self._spare.pid)
            self._spare, self._spare_after = None, now + START_S  # perhaps memory is short
        if self._spare or now < self._spare_after or self.should_exit.is_set():
            return
        if self._serving.issuperset(self.processes):
            self._spare = SpareWorker(self.config, self.sockets)
            self._spare.start()

    def _end_spare(self) -> None:
        if self._spare:
            self._spare.kill()
            self._spare.process.join()
            self._spare = None

    def _hangs(self, process: Process) -> bool:
        """Return whether a worker has not answered for too long; after its start it may take longer.

        The answer to the ping of one look is read at the next one, so that none waits for another worker.
        """
        now = time.monotonic()
        answer = _newest_answer(process)
        if answer:
            self._serving.add(process)
        if answer is not None:
            self._answered_at[process] = now
            return False
        since = self._answered_at.setdefault(process, now + START_S)
        return now - since > self.config.timeout_worker_healthcheck

    def _join_until(self, seconds: float) -> None:
        """Wait until all workers have ended, at most until some seconds after the beginning of the stop."""
        deadline = (self._asked_at or time.monotonic()) + seconds
        for process in self.processes:
            process.process.join(max(0.0, deadline - time.monotonic()))

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal_queue.append(number)
        self._wakes.put(None)

    def _note_stop(self, number: int, frame: FrameType | None) -> None:
        self._asked_at = self._asked_at or time.monotonic()
        self.should_exit.set()  # ends the wait for a replacement, too; nobody waits for this event itself
        self._note(number, frame)


def _newest_answer(process: Process) -> bool | None:
    """Return what a worker has answered since the last look, and ask it again.

    Returns:
        Whether it serves; None: no answer.
    """
    answer = None
    try:
        while process.parent_conn.poll():
            answer = process.parent_conn.recv()
        process.parent_conn.send(b"ping")
    except (OSError, EOFError):
        return None
    return answer
