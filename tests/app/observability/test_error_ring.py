from app.observability.error_ring import RING_BYTES, SLOT_BYTES, SLOTS, ErrorRing, RecentError


def error(number: int, route: str = "/train") -> RecentError:
    return RecentError(float(number), f"id-{number}", "GET", route, 404, "no-such-run")


def test_newest_errors_replace_the_oldest() -> None:
    memory = memoryview(bytearray(RING_BYTES))
    ring = ErrorRing(memory)
    assert list(ring.read()) == []
    for number in range(SLOTS + 3):
        ring.write(error(number))
    ring.write(error(100, route="/" * SLOT_BYTES))  # too long
    assert sorted(ErrorRing(memory).read()) == [error(number) for number in range(3, SLOTS + 3)]


def test_error_that_is_half_written_is_left_out() -> None:
    memory = memoryview(bytearray(RING_BYTES))
    ring = ErrorRing(memory)
    for number in range(2):
        ring.write(error(number))
    memory[8:20] = b"\xff" * 12
    assert list(ring.read()) == [error(1)]
