"""The program of a decoder process: `python -m app.decoders.child MEMORY`, with a socket as its standard input.

It imports the image code of the library and nothing else, so that it is small and starts in a fraction of a second.
Its limits are the kernel's, so that they hold inside of libjpeg: SIGPROF ends it when a task has used its CPU time, and
allocations fail beyond its memory.
"""

import contextlib
import ctypes
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from app.decoders.messages import PREFIX, encode
from inkling.digit import Gray
from inkling.errors import InputError, NoDigitError
from inkling.vision.image_files import PictureLimits, decode_image, decode_picture
from inkling.vision.normalize import normalize
from inkling.vision.normalized_files import NormalizedFile, normalize_file
from inkling.vision.numbers.layout import find_page

NICENESS = 5
"""The server itself, which answers probes and plain images, comes first when all cores are busy; trainers come last."""

_SET_PARENT_DEATH_SIGNAL = 1  # prctl's PR_SET_PDEATHSIG


def main(memory_bytes: int) -> None:
    """Do one task after another until the server closes the socket, or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server
    os.nice(NICENESS)
    _die_with_parent()
    _limit_memory(memory_bytes)
    gone = contextlib.suppress(BrokenPipeError, ConnectionResetError)  # the server: without a traceback in its log
    with gone, socket.socket(fileno=0) as connection, connection.makefile("rb") as reader:
        _send(connection, {"is_ready": True})
        while prefix := reader.read(PREFIX.size):
            head_bytes, _ = PREFIX.unpack(prefix)
            task = orjson.loads(reader.read(head_bytes))
            contents = [reader.read(item["bytes"]) for item in task["items"]]
            started = time.process_time()
            signal.setitimer(signal.ITIMER_PROF, task["cpu_s"])
            header, parts = _run(task, contents)
            signal.setitimer(signal.ITIMER_PROF, 0)
            _send(connection, {**header, "cpu_s": time.process_time() - started}, parts)
            del contents, parts


def _run(task: dict[str, Any], contents: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """Return the answer to a task, or the class and message of an error.

    An answer is images, and the reports on them: for each picture those of its readings, or its pages of numbers;
    none of strict images.
    """
    limits = PictureLimits(**task["limits"])
    images: list[bytes] = []
    reports: list[Any] = []
    normalize_s = 0.0
    for item, content in zip(task["items"], contents, strict=True):
        try:
            if task["task"] == "strict":
                images.append(_decode(decode_image, content, item["name"], limits).tobytes())
                continue
            if task["task"] == "numbers":
                picture = _picture(content, item, limits)
                started = time.perf_counter()
                page = find_page(picture)
                normalize_s += time.perf_counter() - started
                pages = (page, *page.alternatives)
                images += [page.images.tobytes() for page in pages]
                reports.append([page.to_fields() for page in pages])
                continue
            normalized, item_s = _normalized(content, item, limits)
            normalize_s += item_s
        except NoDigitError as error:
            return {"error": type(error).__name__, "message": f"image {item['number']}: {error}"}, []
        except InputError as error:
            return {"error": type(error).__name__, "message": str(error)}, []
        except MemoryError:
            return {"error": "MemoryError", "message": item["name"]}, []
        readings = (normalized, *normalized.alternatives)
        images += [reading.pixels.tobytes() for reading in readings]
        reports.append([reading.to_fields() for reading in readings])
    return {"reports": reports, "normalize_s": normalize_s}, images


def _picture(content: bytes, item: dict[str, Any], limits: PictureLimits) -> Gray:
    if item["shape"]:
        return np.frombuffer(content, np.uint8).reshape(item["shape"])
    return _decode(decode_picture, content, item["name"], limits)


def _normalized(content: bytes, item: dict[str, Any], limits: PictureLimits) -> NormalizedFile:
    if not item["shape"]:
        return normalize_file(content, limits, item["name"])
    started = time.perf_counter()
    normalized = normalize(np.frombuffer(content, np.uint8).reshape(item["shape"]))
    return NormalizedFile(normalized, time.perf_counter() - started)


def _decode(decode: Callable[..., Gray], content: bytes, name: str, limits: PictureLimits) -> Gray:
    return decode(
        content, limits.max_pixels, name, max_side=limits.max_side, max_decoder_bytes=limits.max_decoder_bytes
    )


def _send(connection: socket.socket, header: dict[str, Any], parts: list[bytes] | None = None) -> None:
    connection.sendall(b"".join(encode(header, parts or [])))


def _die_with_parent() -> None:
    """Have Linux kill this process when the server dies, however; elsewhere it ends with its task."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def _limit_memory(memory_bytes: int) -> None:
    """Have allocations fail once this process has as many bytes more than now."""
    status = Path("/proc/self/status")
    if not status.exists():  # macOS knows no such limit
        return
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmData:"))
    limit = int(line.split()[1]) * 1024 + memory_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


if __name__ == "__main__":
    main(int(sys.argv[1]))
