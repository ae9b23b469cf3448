import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from app.admission.byte_budget import SMALL_BODY_BYTES, ByteBudget
from app.errors import OverloadedError
from tests.support.bodies import RAW
from tests.support.servers import Server, start_server
from tests.support.services import eventually

MIB = 1 << 20


def test_declared_bodies_are_counted_with_what_is_decoded_from_them() -> None:
    budget = ByteBudget(100 * MIB)
    for content_type, factor in ((b"application/json", 8), (b"Multipart/Form-Data; boundary=x", 6), (b"image/png", 3)):
        reservation = budget.enter(MIB, content_type)
        assert budget.used == factor * MIB
        reservation.release()
        assert budget.used == 0


def test_large_bodies_leave_the_reserve_to_small_ones() -> None:
    budget = ByteBudget(10 * MIB)
    held = [budget.enter(MIB, b"") for _ in range(3)]
    with pytest.raises(OverloadedError, match="INKLING_MAX_BYTES_IN_FLIGHT"):
        budget.enter(MIB, b"")
    small = [budget.enter(1000, b"") for _ in range(100)]
    held[0].release()
    budget.enter(MIB, b"").release()
    for reservation in [*held[1:], *small]:
        reservation.release()
    assert budget.used == 0


def test_one_body_is_let_in_however_large() -> None:
    budget = ByteBudget(MIB)
    reservation = budget.enter(16 * MIB, b"application/json")
    with pytest.raises(OverloadedError):
        budget.enter(MIB, b"")
    reservation.release()


def test_body_of_unknown_length_is_counted_as_it_comes() -> None:
    budget = ByteBudget(10 * MIB)
    held = budget.enter(2 * MIB, b"")
    growing = budget.enter(0, b"")
    for received in range(0, SMALL_BODY_BYTES, 1000):
        growing.grow(received)
        assert budget.used == 6 * MIB + 3 * received
    growing.grow(MIB)
    growing.grow(MIB // 2)  # a count never falls
    assert budget.used == 9 * MIB
    with pytest.raises(OverloadedError):
        growing.grow(2 * MIB)
    growing.release()
    held.release()
    assert budget.used == 0


def test_small_bodies_have_a_limit_too() -> None:
    budget = ByteBudget(8 * MIB)
    for _ in range(5):
        budget.enter(SMALL_BODY_BYTES, b"")
    with pytest.raises(OverloadedError):
        budget.enter(SMALL_BODY_BYTES, b"")


def test_retry_after_is_the_measured_time_in_flight() -> None:
    now = 0.0
    budget = ByteBudget(MIB, clock=lambda: now)
    for _ in range(100):
        reservation = budget.enter(MIB, b"")
        now += 20
        reservation.release()
    budget.enter(MIB, b"")
    with pytest.raises(OverloadedError) as raised:
        budget.enter(MIB, b"")
    assert raised.value.retry_after_s == pytest.approx(20, rel=0.01)


@pytest.fixture
def small_server(tmp_path: Path) -> Iterator[Server]:
    data = {"INKLING_MAX_BYTES_IN_FLIGHT": str(100 * MIB)}
    with start_server(tmp_path / "data", "--trainer", "external", **data) as server:
        yield server


def test_uploads_that_wait_lock_nobody_out(small_server: Server) -> None:
    url = httpx.URL(small_server.url)
    with ExitStack() as stack:
        waiting, refused = [], 0
        for _ in range(20):
            connection = stack.enter_context(socket.create_connection((url.host, url.port or 0), timeout=30))
            connection.sendall(b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\n")
            connection.sendall(b"Content-Length: %d\r\n\r\n" % (16 * MIB))
            connection.settimeout(1)
            try:
                answer = connection.recv(65536)
            except TimeoutError:
                waiting.append(connection)
                continue
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"retry-after: " in answer
            assert b"connection: close" in answer
            refused += 1
            if len(waiting) + refused > 5:
                break
        assert (len(waiting), refused > 0) == (2, True)
        with small_server.client() as client:
            for _ in range(20):
                small = client.post("/predict", content=bytes(784), headers={"Content-Type": RAW})
                assert small.status_code == 200
                assert client.get("/versions").status_code == 200
            large = {"content": bytes(784 * 5000), "headers": {"Content-Type": RAW}}
            assert client.post("/predict", **large).status_code == 503  # type: ignore[arg-type]

    def is_answered() -> bool:
        with small_server.client() as client:
            return client.post("/predict", **large).status_code == 200  # type: ignore[arg-type]

    eventually(is_answered, "room for a large body again")
