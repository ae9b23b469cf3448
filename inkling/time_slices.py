"""The time slices of a thread: how long Linux's scheduler lets it run before others that wait.

They say nothing of the thread's share of a core. A thread that wakes up interrupts one whose slices are longer, and
would wait for the end of such a slice otherwise (https://docs.kernel.org/scheduler/sched-eevdf.html). By measurement
(docs/performance.md), a thread that runs may be stopped after the shortest slice of all threads that wait for its core.
"""

import ctypes
import os
import platform
import struct
import sys

USUAL = 0
"""The length that asks for the system's own."""
_CALLS = {"x86_64": (315, 314), "aarch64": (275, 274)}
"""The numbers of the system calls sched_getattr and sched_setattr, which the C library does not have everywhere."""
_ATTRIBUTES = struct.Struct("=IIQiIQQQ")
"""struct sched_attr: size, policy, flags, niceness, priority, runtime, deadline, period. See sched_setattr(2)."""
_POLICY, _RUNTIME = 1, 5
"""Places in it; the runtime of an ordinary thread is the length of its slices."""


def ask_for_slices(slice_ns: int, thread: int = 0) -> None:
    """Ask for time slices of a length, for a thread of this user and for all threads and processes that it starts.

    Does nothing where that is not possible: before Linux 6.12, on other systems, for a thread of the policy SCHED_IDLE
    or of another one that is not the ordinary one, and for a thread that has ended.

    Args:
        slice_ns: the length in nanoseconds; Linux takes 0.1 to 100 ms. USUAL: the system's own.
        thread: its id; 0: this one.
    """
    if attributes := _attributes(thread):
        asked = (*attributes[:_RUNTIME], slice_ns, *attributes[_RUNTIME + 1 :])
        _, set_attributes = _CALLS[platform.machine()]
        ctypes.CDLL(None).syscall(set_attributes, thread, _ATTRIBUTES.pack(*asked), 0)


def slice_ns() -> int:
    """Return the length of this thread's time slices in nanoseconds; 0 where `ask_for_slices` does nothing."""
    attributes = _attributes(0)
    return attributes[_RUNTIME] if attributes else 0


def _attributes(thread: int) -> tuple[int, ...] | None:
    """Return the fields of a thread's struct sched_attr; None if it has no slices that can be asked for."""
    calls = _CALLS.get(platform.machine())
    if sys.platform != "linux" or calls is None:
        return None
    raw = ctypes.create_string_buffer(_ATTRIBUTES.size)
    if ctypes.CDLL(None).syscall(calls[0], thread, raw, _ATTRIBUTES.size, 0) != 0:
        return None
    attributes = _ATTRIBUTES.unpack(raw.raw)
    is_possible = attributes[_POLICY] == os.SCHED_OTHER and attributes[_RUNTIME] != 0  # Linux before 6.12 says 0
    return attributes if is_possible else None
