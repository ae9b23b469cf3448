"""The pool of decoder processes: pictures in, images out, within limits of time and memory."""

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from itertools import chain
from typing import Any

import numpy as np

from app.decoders.messages import Message
from app.decoders.process import DecoderDiedError, DecoderProcess
from app.decoders.queue import Batch, WorkQueue
from app.decoders.shares import share_out
from app.decoders.work import Decoded, Picture, PictureFile, Task
from app.errors import OverloadedError
from inkling.digit import SIDE, Images
from inkling.errors import (
    ImageError,
    ImageSizeError,
    InputError,
    NoDigitError,
    SeveralDigitsError,
    TooLargeError,
    UnreadError,
)
from inkling.tracing import TRACING
from inkling.vision.image_files import PictureLimits
from inkling.vision.normalization import Normalized
from inkling.vision.numbers.page import Page

EXTRA_BYTES = 32 << 20
"""Memory of a process beyond the limit on decoding and its files."""
GRACE_S = 0.5
"""A task whose client has left is ended after this time: to start a process takes as long as a hundred small ones."""
WALL_FACTOR = 20
"""A process that needs this many times its CPU time by the clock hangs, or the machine is overloaded."""
RESTART_S = 1.0
MIN_CPU_S = 0.01
MAX_TURN_S = 60
"""Seconds until a request is given up that has not been done."""

ERRORS: dict[str, type[InputError]] = {
    cls.__name__: cls
    for cls in (ImageError, ImageSizeError, NoDigitError, SeveralDigitsError, TooLargeError, UnreadError)
}
"""What a process may report; anything else is a damaged picture."""

logger = logging.getLogger(__name__)


class DecoderPool:
    """Owns the decoder processes of this server, and the queue before them. Of one event loop.

    Args:
        processes: that do any picture; one more does small ones only, so that these never wait behind large ones.
        cpu_s: seconds of CPU that the pictures of a request may take.
        limits: on each picture.
        max_body_bytes: of the files of a request.
        count_end: called with the cause when a process has ended and is started again.
    """

    def __init__(
        self,
        processes: int,
        cpu_s: float,
        limits: PictureLimits,
        max_body_bytes: int,
        count_end: Callable[[str], None] = lambda cause: None,
    ) -> None:
        self._memory_bytes = limits.max_decoder_bytes + 2 * max_body_bytes + EXTRA_BYTES
        self._cpu_s = cpu_s
        self._limits = limits
        self._count_end = count_end
        self._queue = WorkQueue(processes, limits.max_decoder_bytes)
        self._changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._processes = processes
        self._children: dict[int, DecoderProcess] = {}
        self.running = 0
        """Batches that are being done."""

    @property
    def waiting(self) -> int:
        """Batches that wait."""
        return len(self._queue)

    @property
    def pids(self) -> list[int]:
        return [child.pid for child in self._children.values()]

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._serve(number, only_small=number == self._processes))
            for number in range(self._processes + 1)
        ]

    async def stop(self) -> None:
        """Kill the processes; what waits is cancelled with its requests."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def run(self, task: Task, pictures: Sequence[Picture]) -> Decoded:
        """Return what a task makes of pictures, in their order.

        If the caller is cancelled, what waits is dropped, and what runs is ended after GRACE_S.

        Raises:
            InputError: of the first picture that is at fault.
            TooLargeError: they took more than their CPU time or memory.
            OverloadedError: too much waits already.
        """
        batches = self._queue.put(task, await share_out(task, pictures), self._cpu_s)
        self._wake()
        try:
            async with asyncio.timeout(MAX_TURN_S):
                done = [await batch.result for batch in batches]
        except TimeoutError:
            raise OverloadedError(f"not done within {MAX_TURN_S} s; try again later", retry_after_s=10) from None
        finally:
            for batch in batches:
                self._queue.drop(batch)
                if not batch.result.cancel() and not batch.result.cancelled():
                    batch.result.exception()  # retrieved: only the first counts
        ended, normalize_s = time.perf_counter(), max(decoded.normalize_s for decoded in done)
        if normalize_s:
            TRACING.record("normalize", ended - normalize_s, ended)
        if len(done) == 1:
            return done[0]
        return Decoded(
            np.concatenate([decoded.images for decoded in done]),
            tuple(chain.from_iterable(decoded.normalized for decoded in done)),
            tuple(chain.from_iterable(decoded.pages for decoded in done)),
        )

    def _wake(self) -> None:
        """Have the idle processes look at the queue."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def _serve(self, number: int, *, only_small: bool) -> None:
        """Keep one process alive, and give it one batch after another."""
        while True:
            child = DecoderProcess(self._memory_bytes, self._wake)
            self._children[number] = child
            try:
                await child.wait_until_ready()
                while True:
                    await self._do_next(child, only_small=only_small)
            except DecoderDiedError as error:
                cause = _cause(child, error)
                logger.warning("decoder process %d ended (%s, %s); it is started again", child.pid, error, cause)
                self._count_end(cause)
                if cause == "failed":  # an error of the program: it must not be started in a loop
                    await asyncio.sleep(RESTART_S)
            finally:
                child.kill()
                await asyncio.shield(child.end())

    async def _do_next(self, child: DecoderProcess, *, only_small: bool) -> None:
        await child.check()
        while (batch := self._queue.take(only_small=only_small)) is None:
            await self._changed.wait()
            await child.check()
        started = time.monotonic()
        self.running += 1
        try:
            await self._do(child, batch)
        finally:
            self.running -= 1
            self._queue.done(batch, time.monotonic() - started)
            self._wake()  # its memory is free

    async def _do(self, child: DecoderProcess, batch: Batch) -> None:
        """Have a process do a batch, and set its result.

        Raises:
            DecoderDiedError: the process ended, or was killed.
        """
        loop = asyncio.get_running_loop()
        granted_s = batch.request.grant(batch)
        if granted_s < MIN_CPU_S:
            batch.result.set_exception(self._explain("cpu", batch, self._cpu_s))
            return
        timers = [loop.call_later(WALL_FACTOR * self._cpu_s, child.kill)]

        def end_if_abandoned(result: asyncio.Future[Decoded]) -> None:
            if result.cancelled():
                timers.append(loop.call_later(GRACE_S, child.kill))

        batch.result.add_done_callback(end_if_abandoned)
        try:
            answer = await child.ask(*self._task(batch, granted_s))
        except DecoderDiedError as error:
            if not batch.result.done():
                batch.result.set_exception(self._explain(_cause(child, error), batch, granted_s))
            raise
        finally:
            batch.result.remove_done_callback(end_if_abandoned)
            for timer in timers:
                timer.cancel()
        try:
            batch.request.cpu_s += granted_s - float(answer.header["cpu_s"])
            if not batch.result.done():
                self._set_result(batch, answer)
        except (KeyError, TypeError, ValueError) as error:  # a picture has taken it over
            batch.result.set_exception(ImageError(f"{_name(batch)} is damaged: its decoder answered {error!r:.100}"))
            child.kill()
            raise DecoderDiedError(-signal.SIGKILL) from error

    def _task(self, batch: Batch, cpu_s: float) -> tuple[dict[str, Any], list[bytes]]:
        contents = [item.content if isinstance(item, PictureFile) else item.tobytes() for item in batch.pictures]
        items = [
            {
                "bytes": len(content),
                "name": item.name if isinstance(item, PictureFile) else f"image {number}",
                "number": number,
                "shape": None if isinstance(item, PictureFile) else item.shape,
            }
            for number, item, content in zip(batch.numbers, batch.pictures, contents, strict=True)
        ]
        return {"task": batch.request.task, "cpu_s": cpu_s, "limits": asdict(self._limits), "items": items}, contents

    def _set_result(self, batch: Batch, answer: Message) -> None:
        error, message = answer.header.get("error"), str(answer.header.get("message"))
        if error == "MemoryError":
            batch.result.set_exception(self._out_of_memory(message))
        elif error:
            batch.result.set_exception(ERRORS.get(str(error), ImageError)(message))
        else:
            images = np.frombuffer(answer.payload, np.uint8).reshape(-1, SIDE, SIDE)
            decode = _decoded_pages if batch.request.task == "numbers" else _decoded
            decoded = decode(batch, images, answer.header["reports"])
            batch.result.set_result(decoded._replace(normalize_s=float(answer.header["normalize_s"])))

    def _explain(self, cause: str, batch: Batch, granted_s: float) -> InputError:
        """Return the error of a request whose process ended."""
        name = _name(batch)
        if cause == "cpu":
            return TooLargeError(
                f"{name} took more than {granted_s:.1f} s of CPU; the images of a request may take {self._cpu_s:g} s "
                "(INKLING_MAX_DECODER_CPU_S): scale them down, or send fewer"
            )
        if cause == "memory":
            return self._out_of_memory(name)
        if cause == "crashed":
            return ImageError(f"{name} is damaged: its decoder crashed")
        return OverloadedError(f"{name} was not done: its process ended; try again", retry_after_s=RESTART_S)

    def _out_of_memory(self, name: str) -> TooLargeError:
        return TooLargeError(
            f"{name} takes more memory than the limit of {self._limits.max_decoder_bytes} bytes "
            "(INKLING_MAX_DECODER_BYTES): scale it down"
        )


def _decoded(batch: Batch, images: Images, reports: list[list[dict[str, Any]]]) -> Decoded:
    """Return a batch's result, given its images (m, 28, 28) and for each picture the reports on its readings.

    Raises:
        ValueError: they are not as many as they must be.
    """
    is_strict, count = batch.request.task == "strict", len(batch.pictures)
    if (len(images), len(reports)) != ((count, 0) if is_strict else (sum(map(len, reports)), count)):
        raise ValueError(f"{len(images)} images and {len(reports)} reports of {count} pictures")
    if is_strict:
        return Decoded(images, ())
    remaining = iter(images)
    normalized = []
    for fields in reports:
        first, *others = (Normalized.from_fields(next(remaining), item) for item in fields)
        normalized.append(replace(first, alternatives=tuple(others)))
    return Decoded(images[:0], tuple(normalized))


def _decoded_pages(batch: Batch, images: Images, reports: list[list[dict[str, Any]]]) -> Decoded:
    """Return a batch's result, given the images (m, 28, 28) of its pages, and the fields of all pages of each picture.

    Raises:
        ValueError: they are not as many as they must be, or contradict each other.
    """
    if len(reports) != len(batch.pictures):
        raise ValueError(f"{len(reports)} pages of {len(batch.pictures)} pictures")
    pages, start = [], 0
    for alternatives in reports:
        readings: list[Page] = []
        for fields in alternatives:
            end = start + int(fields["images"])
            readings.append(Page.from_fields(fields, images[start:end]))
            start = end
        first, *others = readings
        pages.append(replace(first, alternatives=tuple(others)))
    return Decoded(images[:0], (), tuple(pages))


def _name(batch: Batch) -> str:
    first = batch.pictures[0]
    name = first.name if isinstance(first, PictureFile) else f"image {batch.numbers[0]}"
    return name if len(batch.pictures) == 1 else f"{name}, or one of the next {len(batch.pictures) - 1},"


def _cause(child: DecoderProcess, error: DecoderDiedError) -> str:
    """Return why a process ended: a word for its requests and for the metrics."""
    if error.exit_code == -signal.SIGPROF:
        return "cpu"
    if child.is_killed:
        return "killed"
    if error.exit_code == -signal.SIGKILL:  # by the kernel, whose memory was full
        return "memory"
    return "crashed" if error.exit_code < 0 else "failed"
