import numpy as np
import pytest

from app.decoders.queue import AGING, Batch, Request

pytestmark = pytest.mark.anyio  # a batch has a future


def batch(request: Request, seconds: float) -> Batch:
    pictures = [np.zeros((28, 28), np.uint8)]
    return Batch(request, range(1, 2), pictures, seconds, memory_bytes=784, body_bytes=784)


async def test_batch_may_take_an_equal_share_of_what_is_left_though_its_estimate_is_low() -> None:
    request = Request("mnist", cpu_s=30, is_small=False, batches=3)
    first = request.grant(batch(request, 0.05))
    assert first == pytest.approx(10)
    request.cpu_s += first - 1  # it took a second
    assert request.grant(batch(request, 0.05)) == pytest.approx(14.5)
    assert request.grant(batch(request, 0.05)) == pytest.approx(14.5)


async def test_batch_may_take_several_times_its_estimate_though_its_share_is_small() -> None:
    request = Request("mnist", cpu_s=3, is_small=False, batches=100)
    assert request.grant(batch(request, 0.05)) == pytest.approx(0.5 + AGING * 0.05)


async def test_grants_are_never_more_than_the_request_may_take() -> None:
    request = Request("mnist", cpu_s=3, is_small=False, batches=10)
    assert sum(request.grant(batch(request, 0.2)) for _ in range(10)) == pytest.approx(3)
    assert request.grant(batch(request, 0.2)) == 0
