"""Memory that was freed, and that the C library gives back to the system or keeps for later."""

import ctypes
import os
import sys
from collections.abc import Mapping
from typing import Any

MMAP_BYTES = 8 << 20
"""Arrays from this size on are mapped one by one, and given back when they are freed: the bodies of large requests."""
TRIM_BYTES = 16 << 20
"""What glibc keeps at most at the end of each of its heaps, of which the event loop and most threads have their own."""
_TRIM_OPTION, _MMAP_OPTION = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h


def give_back_freed_memory() -> bool:
    """Give it back to the system: a start leaves 1.3 MiB of it. It takes 0.3 ms.

    Returns:
        Whether the C library can: glibc's `malloc_trim`.
    """
    trim = _glibc("malloc_trim")
    return bool(trim and trim(0))


def keep_freed_memory(environment: Mapping[str, str] = os.environ) -> bool:
    """Keep what is freed from now on for the arrays of the next chunk of images.

    By default glibc gives it back and takes it again some thirty times in a request of 10,000 images, which is a
    quarter of the request's time: the system clears every page. See mallopt(3).

    Returns:
        Whether it does: not without glibc's `mallopt`, nor where the environment chooses already.
    """
    if any(name in environment for name in ("GLIBC_TUNABLES", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")):
        return False
    set_option = _glibc("mallopt")
    return bool(set_option and set_option(_MMAP_OPTION, MMAP_BYTES) and set_option(_TRIM_OPTION, TRIM_BYTES))


def _glibc(name: str) -> Any:
    """Return a function of the C library; None if it has none of this name, or if this is no Linux."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
