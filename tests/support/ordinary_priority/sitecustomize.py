"""Python imports this file at its start where tests put its folder on the path: the process keeps its CPU priority.

A trainer gives itself the lowest priority. Beside other processes that want the CPU it would then take minutes for
what a test waits for, or never get there.
"""

import os

if hasattr(os, "SCHED_IDLE"):
    del os.SCHED_IDLE
os.nice = lambda increment: 0
