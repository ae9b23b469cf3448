"""The processes that read, predict and encode units; one that dies costs at most the image that killed it."""

import contextlib
import multiprocessing
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import cast

from inkling.bulk.batches import Unit
from inkling.bulk.formats import Format, encoder_of
from inkling.bulk.predictions import predict
from inkling.cpus import count_cpus
from inkling.network import checkpoint
from inkling.network.classifier import Classifier
from inkling.predictor import Fit, Predictor
from inkling.vision.image_files import PictureLimits

AHEAD = 2
"""Units per process that are done before their turn, because an earlier one takes longer."""

END_S = 1.0
"""How long a process may take to end at the end of the job, before it is killed."""


@dataclass(frozen=True)
class Task:
    """What is done with every unit."""

    checkpoint: bytes
    """The file."""
    version: int
    fit: Fit
    limits: PictureLimits
    digit_threshold: float
    output_format: Format


@dataclass(frozen=True)
class Done:
    """The rows of a unit."""

    content: bytes
    images: int
    errors: int
    first_error: str
    """With its file; empty if there is none."""


class _Worker:
    """Owns one process and the pipe to it."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self.start()

    def start(self) -> None:
        """Start the process, for which Ctrl-C means nothing: it ends with this one."""
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._task), daemon=True)
        with _ignored_interrupt():
            self._process.start()
        theirs.close()

    def restart(self) -> str:
        """Start another process in the place of one that died, and return how it died."""
        self.connection.close()
        self._process.join()
        code = self._process.exitcode or 0
        self.start()
        return f"signal {-code}" if code < 0 else f"exit code {code}"

    def do(self, unit: Unit) -> Done:
        """Have it do a unit; if it dies, its parts one by one, until one image is left that cannot be read."""
        try:
            self.connection.send(unit)
            return self.receive()
        except (EOFError, ConnectionError):
            return self.do_parts(unit)

    def do_parts(self, unit: Unit) -> Done:
        """Do a unit, on which the process died, in parts."""
        death = self.restart()
        parts = unit.split()
        if not parts:
            return self.do(unit.failed(f"the process that read it died ({death})"))
        done = [self.do(part) for part in parts]
        return Done(
            b"".join(part.content for part in done),
            sum(part.images for part in done),
            sum(part.errors for part in done),
            next((part.first_error for part in done if part.first_error), ""),
        )

    def receive(self) -> Done:
        done: Done = self.connection.recv()
        return done

    def end(self) -> None:
        """End the process, whose connection is closed: by itself, or by force where it is amid a long unit."""
        self._process.join(END_S)
        self._process.kill()
        self._process.join()


Finished = Generator[tuple[Unit, Done], None, None]
"""Units with their rows, in the order of the units."""


def in_order(units: Iterable[Unit], task: Task, processes: int | None = None) -> Finished:
    """Do units in processes, by default one per CPU core, and yield them with their rows in their order."""
    processes = processes or count_cpus()
    workers = [_Worker(task) for _ in range(processes)]
    idle, busy = list(workers), dict[Connection, tuple[_Worker, int]]()
    waiting: deque[tuple[Unit, Done | None]] = deque()
    first = 0
    remaining = iter(units)
    try:
        while True:
            while idle and len(waiting) < processes * (1 + AHEAD):
                unit = next(remaining, None)
                if unit is None:
                    break
                worker = idle.pop()
                busy[worker.connection] = worker, first + len(waiting)
                waiting.append((unit, None))
                with contextlib.suppress(ConnectionError):  # it has died, which `receive` notices
                    worker.connection.send(unit)
            if not busy:
                return
            for connection in wait(list(busy)):
                worker, number = busy.pop(cast("Connection", connection))
                unit = waiting[number - first][0]
                try:
                    done = worker.receive()
                except (EOFError, ConnectionError):
                    done = worker.do_parts(unit)
                waiting[number - first] = unit, done
                idle.append(worker)
            while waiting and (ready := waiting[0])[1] is not None:
                waiting.popleft()
                first += 1
                yield ready[0], ready[1]
    finally:
        for worker in workers:
            worker.connection.close()  # which each of them notices after its unit
        for worker in workers:
            worker.end()


class Reader:
    """Does units in this process."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._predictor = Predictor(Classifier(checkpoint.load(task.checkpoint), task.version))
        self._encoder = encoder_of(task.output_format)

    def do(self, unit: Unit) -> Done:
        """Read, predict and encode a unit."""
        pieces, images, errors, first_error = [], 0, 0, ""
        for batch in unit.read(self._task.fit):
            results = predict(self._predictor, batch, self._task.fit, self._task.limits)
            pieces.append(self._encoder.rows(results, self._task.digit_threshold))
            images += results.count
            errors += len(results.errors)
            if results.errors and not first_error:
                position, reason = next(iter(results.errors.items()))
                first_error = f"{results.file(position)}: {reason}"
        return Done(b"".join(pieces), images, errors, first_error)


def _serve(connection: Connection, task: Task) -> None:
    """Do one unit after another until the other end is closed."""
    reader = Reader(task)
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            connection.send(reader.do(connection.recv()))


@contextlib.contextmanager
def _ignored_interrupt() -> Iterator[None]:
    """Have a process that is started ignore Ctrl-C from its first moment on, as it inherits that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
