"""The settings of Linux's scheduler for the server: a busy CPU core sooner, and an end of each wait in time."""

import ctypes
import os
import platform
import struct
import sys
from functools import cache

SHARE_OF_USUAL = 0.9
"""Of the time slice that Linux gives: hardly shorter.

At each tick of the clock, every 4 ms, a thread whose slice is over is stopped for one that has waited, also for a
trainer of the lowest priority, and until the next tick. A slice of 0.1 ms, the shortest, is over at most ticks.
"""
_SET_TIMER_SLACK = 29
"""PR_SET_TIMERSLACK of prctl(2)."""
_ATTRIBUTE_CALLS = {"x86_64": (315, 314), "aarch64": (275, 274)}
"""The numbers of the system calls sched_getattr and sched_setattr, which the C library does not have everywhere."""
_ATTRIBUTES = struct.Struct("=IIQiIQQQ")
"""struct sched_attr: size, policy, flags, niceness, priority, runtime, deadline, period. See sched_setattr(2)."""


@cache
def ask_for_shorter_slices() -> bool:
    """Ask for shorter time slices than usual for this thread, and for all threads and processes that it starts.

    Once per process: each time would make them shorter.

    The share of a core stays the same. But a thread that wakes up interrupts another one whose slices are longer, where
    it would wait for the end of such a slice (https://docs.kernel.org/scheduler/sched-eevdf.html). Linux before 6.12
    ignores it, and so do systems that forbid the call.

    Returns:
        Whether the system accepted it.
    """
    calls = _ATTRIBUTE_CALLS.get(platform.machine())
    if sys.platform != "linux" or calls is None:
        return False
    get, set_ = calls
    system, attributes = ctypes.CDLL(None), ctypes.create_string_buffer(_ATTRIBUTES.size)
    if system.syscall(get, 0, attributes, _ATTRIBUTES.size, 0) != 0:
        return False
    size, policy, flags, niceness, priority, slice_ns, *deadline = _ATTRIBUTES.unpack(attributes.raw)
    if policy != os.SCHED_OTHER or slice_ns == 0:  # Linux before 6.12 says 0
        return False
    slice_ns = int(SHARE_OF_USUAL * slice_ns)
    shorter = _ATTRIBUTES.pack(size, policy, flags, niceness, priority, slice_ns, *deadline)
    return bool(system.syscall(set_, 0, shorter, 0) == 0)


def ask_for_exact_timers() -> None:
    """Ask for waits of this thread, and of all threads that it starts, that end in time: Linux adds up to 0.05 ms.

    A thread that waits for Python's interpreter asks for it after such a wait.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_TIMER_SLACK, 1, 0, 0, 0)  # ns; 0 is the default, 50,000
