"""Calls made at the same moment, by threads or by processes."""

import multiprocessing
import threading
from collections.abc import Callable
from multiprocessing.synchronize import Barrier, Event
from typing import Any

from tests.support.processes import DEADLINE_S

spawn = multiprocessing.get_context("spawn")


def in_threads(count: int, act: Callable[[int], None]) -> None:
    """Call `act` with 0, 1, 2 ... in as many threads at the same moment; raise what one of them raised."""
    together = threading.Barrier(count)
    raised: list[BaseException] = []

    def run(index: int) -> None:
        together.wait(DEADLINE_S)
        try:
            act(index)
        except BaseException as error:  # raised again below, where pytest sees it
            raised.append(error)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    if raised:
        raise raised[0]


def in_processes(count: int, act: Callable[[str, Barrier], Any], argument: str) -> None:
    """Call `act` with an argument and a barrier in as many processes, and check that each of them succeeds."""
    together = spawn.Barrier(count)
    processes = [spawn.Process(target=act, args=(argument, together)) for _ in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(DEADLINE_S)
    assert [process.exitcode for process in processes] == [0] * count


def kill_while_hanging(act: Callable[[str, Event], None], argument: str) -> None:
    """Call `act` in a process, and kill it once it has set the event."""
    hanging = spawn.Event()
    process = spawn.Process(target=act, args=(argument, hanging))
    process.start()
    assert hanging.wait(DEADLINE_S)
    process.kill()
    process.join(DEADLINE_S)
