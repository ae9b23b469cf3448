"""The cores that no large batch uses: they help with those that are being computed.

BLAS itself has one thread, because its threads wait for each other: where another program keeps one core busy, all of
them are as slow as that core. Here every thread takes one part after another, so a slow core takes fewer.
"""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Lock
from typing import TypeVar

from inkling.cpus import count_cpus

T = TypeVar("T")
R = TypeVar("R")


class SpareCores:
    """Threads that help the threads that call `map`: together no more than there are cores.

    Args:
        cores: that this process may use.
    """

    def __init__(self, cores: int) -> None:
        self._cores = cores
        self._callers = 0
        self._lock = Lock()
        self._helpers = ThreadPoolExecutor(max(1, cores - 1), "spare-core")  # it starts them when they are needed

    def map(self, function: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """Return the results for items, in their order.

        It takes less time only if the function mostly lets other threads have Python's interpreter, as NumPy does.

        Raises:
            Exception: of the function; items that are not begun then are left out.
        """
        left = deque(enumerate(items))
        results: dict[int, R] = {}

        def work() -> None:
            try:
                while True:
                    try:
                        number, item = left.popleft()
                    except IndexError:
                        return
                    results[number] = function(item)
            finally:
                left.clear()

        with self._lock:
            self._callers += 1
            spare = self._cores - self._callers
        helpers = [self._helpers.submit(work) for _ in range(min(spare, len(items) - 1))]
        try:
            work()
        finally:
            begun = [helper for helper in helpers if not helper.cancel()]
            wait(begun)
            with self._lock:
                self._callers -= 1
        for helper in begun:
            helper.result()
        return [results[number] for number in range(len(items))]


SPARE_CORES = SpareCores(count_cpus())
"""Those of this process."""
