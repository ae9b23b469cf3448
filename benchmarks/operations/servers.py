"""The image that clients send, the right answer to it, and waiting for a server."""

import time
from collections.abc import Callable

import httpx

from benchmarks.digits import make_digits

START_S = 120.0
RAW = {"Content-Type": "application/octet-stream"}


def one_image() -> bytes:
    return make_digits(1, seed=0)[0].tobytes()


def expected_answer(url: str, image: bytes) -> bytes:
    """Return what every server answers to an image, byte for byte."""
    return httpx.post(url, content=image, headers=RAW, timeout=60).raise_for_status().content


def wait_until(condition: Callable[[], bool]) -> None:
    """Look every 5 ms until a condition holds.

    Raises:
        TimeoutError: it did not hold in time.
    """
    end = time.monotonic() + START_S
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not seen within {START_S:.0f} s")
        time.sleep(0.005)
