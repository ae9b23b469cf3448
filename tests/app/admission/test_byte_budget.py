import asyncio
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from app.admission import byte_budget
from app.admission.byte_budget import SMALL_BODY_BYTES, ByteBudget
from app.errors import OverloadedError
from tests.support.bodies import RAW
from tests.support.servers import Server, start_server
from tests.support.services import eventually

MIB = 1 << 20


def test_declared_bodies_are_counted_with_what_is_decoded_from_them() -> None:
    budget = ByteBudget(100 * MIB)
    for content_type, factor in ((b"application/json", 5), (b"Multipart/Form-Data; boundary=x", 8), (b"image/png", 3)):
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
    for _ in range(10):
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


@pytest.mark.anyio
async def test_large_bodies_wait_for_their_turn_in_order() -> None:
    budget = ByteBudget(10 * MIB)
    held = budget.enter(3 * MIB, b"")
    waiting = [asyncio.create_task(budget.enter_in_turn(size * MIB, b"")) for size in (3, 1)]
    await asyncio.sleep(0)
    assert (await budget.enter_in_turn(1000, b"")).is_small  # small bodies do not wait
    waiting[0].cancel()
    await asyncio.wait(waiting[:1])
    held.release()
    second = await waiting[1]
    assert second.bytes == 3 * MIB
    second.release()
    assert budget.used == 3000
    (await budget.enter_in_turn(3 * MIB, b"")).release()


@pytest.mark.anyio
async def test_turn_that_comes_as_its_task_is_cancelled_is_given_back() -> None:
    budget = ByteBudget(10 * MIB)
    held = budget.enter(3 * MIB, b"")
    waiting = asyncio.create_task(budget.enter_in_turn(3 * MIB, b""))
    await asyncio.sleep(0)
    held.release()
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    assert budget.used == 0


@pytest.mark.anyio
async def test_wait_that_ends_as_room_is_given_back_is_forgotten() -> None:
    budget = ByteBudget(10 * MIB)
    held = [budget.enter(MIB, b"") for _ in range(3)]
    first, second = (asyncio.create_task(budget.enter_in_turn(size * MIB, b"")) for size in (3, 1))
    await asyncio.sleep(0)
    first.cancel()
    held.pop().release()  # before the first knows that it was cancelled
    await asyncio.wait([first])
    assert first.cancelled()
    (await second).release()
    for reservation in held:
        reservation.release()
    assert budget.used == 0


@pytest.mark.anyio
async def test_smaller_body_gets_its_turn_when_the_larger_before_it_gives_up() -> None:
    budget = ByteBudget(10 * MIB)
    held = [budget.enter(MIB, b"") for _ in range(2)]
    first, second = (asyncio.create_task(budget.enter_in_turn(size * MIB, b"")) for size in (3, 1))
    await asyncio.sleep(0)
    assert not second.done()
    first.cancel()
    (await asyncio.wait_for(second, byte_budget.MAX_WAIT_S / 2)).release()
    for reservation in held:
        reservation.release()
    assert budget.used == 0


@pytest.mark.anyio
async def test_large_body_waits_for_a_limited_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(byte_budget, "MAX_WAIT_S", 0.01)
    budget = ByteBudget(10 * MIB)
    held = budget.enter(3 * MIB, b"")
    with pytest.raises(OverloadedError, match="INKLING_MAX_BYTES_IN_FLIGHT"):
        await budget.enter_in_turn(MIB, b"")
    monkeypatch.setattr(byte_budget, "MAX_WAITING", 0)
    with pytest.raises(OverloadedError):
        await budget.enter_in_turn(MIB, b"")
    held.release()
    assert budget.used == 0


@pytest.fixture
def small_server(tmp_path: Path) -> Iterator[Server]:
    data = {"INKLING_MAX_BYTES_IN_FLIGHT": str(100 * MIB)}
    with start_server(tmp_path / "data", "--trainer", "external", **data) as server:
        yield server


def test_uploads_that_wait_lock_nobody_out(small_server: Server) -> None:
    url = httpx.URL(small_server.url)
    with ExitStack() as stack:
        connections = []
        for _ in range(6):
            connection = stack.enter_context(socket.create_connection((url.host, url.port or 0), timeout=30))
            connection.sendall(b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\n")
            connection.sendall(b"Content-Length: %d\r\n\r\n" % (16 * MIB))
            connections.append(connection)

        def refused() -> list[socket.socket]:
            return select.select(connections, [], [], 0)[0]

        eventually(lambda: len(refused()) == 4, "four of six refused, after they waited for their turn")
        for connection in refused():
            answer = connection.recv(65536)
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"retry-after: " in answer
            assert b"connection: close" in answer
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
