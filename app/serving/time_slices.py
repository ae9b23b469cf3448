"""The settings of Linux's scheduler for the server: a busy CPU core sooner, and an end of each wait in time."""

import ctypes
import os
import platform
import struct
import sys

SLICE_NS = 100_000
"""The shortest that Linux accepts."""
_SET_TIMER_SLACK = 29
"""PR_SET_TIMERSLACK of prctl(2)."""
_SET_ATTRIBUTES = {"x86_64": 314, "aarch64": 274}
"""The number of the system call sched_setattr, which the C library does not have everywhere."""
_ATTRIBUTES = struct.Struct("=IIQiIQQQ")
"""struct sched_attr: size, policy, flags, niceness, priority, runtime, deadline, period. See sched_setattr(2)."""


def ask_for_short_slices() -> bool:
    """Ask for time slices of SLICE_NS for this thread, and for all threads and processes that it starts.

    The share of a core stays the same. But a thread that wakes up interrupts another one whose slices are longer, where
    it would wait for the end of such a slice (https://docs.kernel.org/scheduler/sched-eevdf.html). Linux before 6.12
    ignores it, and so do systems that forbid the call.

    Returns:
        Whether the system accepted it.
    """
    number = _SET_ATTRIBUTES.get(platform.machine())
    if sys.platform != "linux" or number is None or os.sched_getscheduler(0) != os.SCHED_OTHER:
        return False
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    attributes = _ATTRIBUTES.pack(_ATTRIBUTES.size, os.SCHED_OTHER, 0, niceness, 0, SLICE_NS, 0, 0)
    return bool(ctypes.CDLL(None).syscall(number, 0, attributes, 0) == 0)


def ask_for_exact_timers() -> None:
    """Ask for waits of this thread, and of all threads that it starts, that end in time: Linux adds up to 0.05 ms.

    A thread that waits for Python's interpreter asks for it after such a wait.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_TIMER_SLACK, 1, 0, 0, 0)  # ns; 0 is the default, 50,000
