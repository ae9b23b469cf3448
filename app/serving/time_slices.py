"""The settings of Linux's scheduler for the server: a busy CPU core sooner, and an end of each wait in time."""

import ctypes
import os
import sys

from inkling.time_slices import USUAL, ask_for_slices, slice_ns

SHORTEST_NS = 100_000
"""The shortest time slice that Linux takes."""
SHARE_BESIDE_TRAINER = 0.9
"""Of the usual time slice, while a trainer lives: hardly shorter, and long enough for a prediction.

At each tick of the clock, every 4 ms, a thread whose slice is over is stopped for one that has waited, also for a
trainer of the lowest priority, and until the next tick. The shortest slice is over at most ticks.
"""
_SET_TIMER_SLACK = 29
"""PR_SET_TIMERSLACK of prctl(2)."""


class TimeSlices:
    """Asks for shorter time slices than usual for all threads of this process, and those that they start.

    At first, the shortest.
    """

    def __init__(self) -> None:
        ask_for_slices(USUAL)  # this process may be the child of one that has asked for others
        self._usual_ns = slice_ns()
        self._asked_ns = USUAL
        self.adapt(is_trainer_alive=False)

    def adapt(self, *, is_trainer_alive: bool) -> None:
        """Ask for the slices with which predictions wait least for what runs now; do nothing if it has them.

        Args:
            is_trainer_alive: whether a trainer may use the same CPU cores.
        """
        wanted_ns = int(SHARE_BESIDE_TRAINER * self._usual_ns) if is_trainer_alive else SHORTEST_NS
        if wanted_ns == self._asked_ns or not self._usual_ns:
            return
        self._asked_ns = wanted_ns
        for thread in os.listdir("/proc/self/task"):
            ask_for_slices(wanted_ns, int(thread))


def ask_for_exact_timers() -> None:
    """Ask for waits of this thread, and of all threads that it starts, that end in time: Linux adds up to 0.05 ms.

    A thread that waits for Python's interpreter asks for it after such a wait.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_TIMER_SLACK, 1, 0, 0, 0)  # ns; 0 is the default, 50,000
