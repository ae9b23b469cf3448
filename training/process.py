"""The trainer's process: its low CPU priority, the signals that ask it to stop, and its end."""

import logging
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from inkling.time_slices import USUAL, ask_for_slices

NICENESS = 19


class StopRequested(BaseException):
    """SIGTERM or Ctrl-C asked the process to stop."""


class StopSignal:
    """SIGTERM or SIGINT, recorded when it arrives and raised where stopping is safe.

    An exception raised by the signal handler itself could land inside a database call, and get lost there or leave a
    lock behind; or inside TensorFlow, which then aborts the process. A second Ctrl-C raises KeyboardInterrupt at once.
    """

    def __init__(self) -> None:
        self._has_arrived = False

    def listen(self) -> None:
        """Record the signals from now on. Only in the main thread."""
        signal.signal(signal.SIGTERM, self._record)
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as a shell sets it for background jobs
            signal.signal(signal.SIGINT, self._record_interrupt)

    def check(self) -> None:
        """Stop here if asked to.

        Raises:
            StopRequested: a signal has arrived.
        """
        if self._has_arrived:
            raise StopRequested

    def _record(self, signum: int, frame: object) -> None:
        self._has_arrived = True

    def _record_interrupt(self, signum: int, frame: object) -> None:
        self._has_arrived = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with suppress(OSError):
            os.write(2, b"stopping after this step; press Ctrl-C again to stop at once\n")


def lower_priority() -> None:
    """Give this process the CPU only when no other process wants it, by every means that the system offers.

    It asks for the usual time slices: if it kept the shorter ones of the server that started it, Linux would stop a
    prediction for it after as short a time.
    """
    os.nice(NICENESS)
    ask_for_slices(USUAL)  # now: later, as SCHED_IDLE, it cannot
    if hasattr(os, "SCHED_IDLE"):
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    if os.getsid(0) == os.getpid():  # started by setsid, so this session has no other process
        # Linux divides the CPU between sessions first (sched(7), autogroup), so neither of the above counts beside a
        # server in another session. This does, though less than sharing the server's session: docs/performance.md.
        with suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(NICENESS), "ascii")


def end_process(exit_code: int) -> NoReturn:
    """End this process at once, after its output is written.

    The ordinary end runs the destructors of TensorFlow's libraries while its threads still run, and once in some
    hundred times glibc then aborts the process: the exit code of work that was complete would say that it had failed.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # closed, or its reader has gone
            stream.flush()
    os._exit(exit_code)
