import ctypes
import os
import subprocess
import sys

import pytest

from app.serving.freed_memory import give_back_freed_memory, keep_freed_memory

FAULTS = """
import resource

import numpy as np

from app.serving.freed_memory import keep_freed_memory


def count() -> int:
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        arrays = [np.zeros(3 << 20, np.uint8), np.zeros(2 << 20, np.uint8)]
        for array in arrays:
            array.fill(1)
        del array, arrays
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults


keep_freed_memory()
count()
print(count())
"""
NEEDS_GLIBC = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="needs glibc"
)


def resident_kib() -> int:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


@NEEDS_GLIBC
def test_memory_that_was_freed_is_given_back() -> None:
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.free.argtypes = [ctypes.c_void_p]
    blocks = [libc.malloc(1000) for _ in range(50_000)]
    for block in blocks:
        ctypes.memset(block, 1, 1000)
    for block in blocks[:-1]:  # the last one keeps the top of the heap
        libc.free(block)
    kept = resident_kib()
    assert give_back_freed_memory()
    assert kept - resident_kib() > 40_000
    libc.free(blocks[-1])


def page_faults(**environment: str) -> int:
    """Return how many pages the system gives to arrays of 5 MiB that are made 20 times, of 1,280 pages each."""
    run = subprocess.run(
        [sys.executable, "-c", FAULTS], env=os.environ | environment, capture_output=True, text=True, check=True
    )
    return int(run.stdout)


@NEEDS_GLIBC
def test_freed_memory_is_kept_for_the_next_arrays() -> None:
    assert page_faults() < 1_280


@NEEDS_GLIBC
def test_the_environment_may_choose_otherwise() -> None:
    assert page_faults(MALLOC_MMAP_THRESHOLD_="1048576") > 20_000
    assert not keep_freed_memory({"MALLOC_TRIM_THRESHOLD_": "0"})
