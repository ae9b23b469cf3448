"""The counters of all worker processes of a server, in one file of shared memory.

Each process writes to a sheet of its own, so that counting takes no lock between processes, and any of them reads all.
Nothing is lost when a process dies: its sheet stays, and the process that replaces it counts on there.
"""

import fcntl
import json
import mmap
import os
import struct
import tempfile
import time
import weakref
from collections.abc import Iterator
from multiprocessing.reduction import DupFd
from typing import Any, Final, NamedTuple

from app.observability.error_ring import RING_BYTES, ErrorRing
from app.observability.families import Family

SHEETS: Final = 256
"""Processes at a time: INKLING_WORKERS is at most 64, and a restart has each of them twice."""
SHEET_BYTES: Final = 1 << 20
"""Of address space; memory is taken by the pages that are written."""
NAMES_AT: Final = 64
VALUES_AT: Final = SHEET_BYTES // 2
ERRORS_AT: Final = VALUES_AT - RING_BYTES
"""Between the names and the values."""
UNREAD_VALUES: Final = 64
"""Values at the end of a sheet for the series that it has no room for."""
_PID, _NAMES_END, _VALUES_END = range(3)
"""The numbers of the header, int64: the process; the bytes of the series' names; their values."""

Key = tuple[str, ...]
"""A series: the name of its family, and the values of its labels."""


class Place(NamedTuple):
    first: int
    """The index of its first value."""
    width: int


class Sheet:
    """The counters of one process, which alone writes to them, one thread at a time.

    Args:
        memory: SHEET_BYTES of it.
    """

    def __init__(self, memory: memoryview) -> None:
        self._memory = memory
        self._header = memory[:NAMES_AT].cast("q")
        self.values = memory[VALUES_AT:].cast("d")
        self.errors = ErrorRing(memory[ERRORS_AT:VALUES_AT])
        self._places: dict[Key, Place] = {}
        self._read_to = NAMES_AT

    @property
    def pid(self) -> int:
        return self._header[_PID]

    @property
    def is_live(self) -> bool:
        """Whether its process is alive."""
        return _is_alive(self.pid)

    def places(self) -> dict[Key, Place]:
        """Return where the values of each series are, in the order in which they were first counted."""
        end = max(NAMES_AT, self._header[_NAMES_END])
        if end > self._read_to:
            for line in bytes(self._memory[self._read_to : end]).splitlines():
                first, width, *key = json.loads(line)
                self._places[tuple(key)] = Place(first, width)
            self._read_to = end
        return self._places

    def index_of(self, family: Family, *labels: str) -> int:
        """Return the index of the first value of a series, which is made if it is new.

        A sheet that is full gives a value that nobody reads: a series is missing, and counting goes on.
        """
        key = (family.name, *labels)
        known = self.places().get(key)
        if known:
            return known.first
        first, begin = max(1, self._header[_VALUES_END]), max(NAMES_AT, self._header[_NAMES_END])
        line = json.dumps([first, family.width, *key]).encode() + b"\n"
        unread = len(self.values) - UNREAD_VALUES
        if first + family.width > unread or begin + len(line) > ERRORS_AT:
            return unread
        # In this order: a process that is killed between two of these lines leaves the sheet consistent.
        self._header[_VALUES_END] = first + family.width
        self._memory[begin : begin + len(line)] = line
        self._header[_NAMES_END] = begin + len(line)
        return first


class CounterFile:
    """The file, which worker processes inherit when it is pickled for them."""

    def __init__(self, fd: int | None = None, started_at: float | None = None) -> None:
        self._fd = _new_file() if fd is None else fd
        weakref.finalize(self, os.close, self._fd)
        self.started_at = time.time() if started_at is None else started_at
        """When counting began, as a time of the clock."""
        self._sheets: dict[int, Sheet] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle it for a process that is being started by `multiprocessing`."""
        return _from_parent, (DupFd(self._fd), self.started_at)

    def claim(self) -> Sheet:
        """Return the sheet of this process: that of a dead one, or a new one."""
        fcntl.lockf(self._fd, fcntl.LOCK_EX, 8)
        try:
            number = next(number for number in range(SHEETS) if not _is_alive(self._pid_of(number)))
            os.pwrite(self._fd, struct.pack("q", os.getpid()), number * SHEET_BYTES)
        finally:
            fcntl.lockf(self._fd, fcntl.LOCK_UN, 8)
        return self._sheet(number)

    def sheets(self) -> Iterator[Sheet]:
        """Yield the sheets that were ever claimed."""
        for number in range(SHEETS):
            if not self._pid_of(number):
                return
            yield self._sheet(number)

    def _pid_of(self, number: int) -> int:
        return int.from_bytes(os.pread(self._fd, 8, number * SHEET_BYTES), "little")

    def _sheet(self, number: int) -> Sheet:
        if number not in self._sheets:
            memory = mmap.mmap(self._fd, SHEET_BYTES, offset=number * SHEET_BYTES)
            self._sheets[number] = Sheet(memoryview(memory))
        return self._sheets[number]


def _new_file() -> int:
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("inkling-counters")
    else:  # not Linux
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, SHEETS * SHEET_BYTES)
    return fd


def _from_parent(duplicate: Any, started_at: float) -> CounterFile:
    return CounterFile(duplicate.detach(), started_at)


def _is_alive(pid: int) -> bool:
    if pid == 0:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):  # of another user: the number was given to another process
        return False
    return True
