"""The limits on the work of one turn of the event loop, on a real event loop."""

import asyncio
from collections.abc import Callable
from typing import Any

from app.connections.flow import HeldFlow
from app.connections.turns import Turns


class Transport:
    """A connection whose reading was paused."""

    def __init__(self, *, is_closing: bool = False) -> None:
        self._is_closing = is_closing
        self.is_read = False

    def is_closing(self) -> bool:
        return self._is_closing

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True


def by_turn(act: Callable[[], Any], seen: Callable[[], Any], turns: int = 4) -> list[Any]:
    """Return what is seen after an act in one turn, and after each of the next turns."""

    async def follow() -> list[Any]:
        act()
        found = [seen()]
        for _ in range(turns - 1):
            await asyncio.sleep(0)
            found.append(seen())
        return found

    return asyncio.run(follow())


def done_by_turn(costs: list[int]) -> list[list[int]]:
    """Add acts in one turn, some of which are not due any more; return the numbers of those done after each turn."""
    done: list[int] = []

    def act(number: int) -> int:
        if costs[number]:
            done.append(number)
        return costs[number]

    def add() -> None:
        turns, loop = Turns(8), asyncio.get_running_loop()
        for number in range(len(costs)):
            turns.add(act, number, loop)

    return by_turn(add, lambda: list(done))


def test_are_done_in_order_some_per_turn() -> None:
    assert done_by_turn([1] * 20) == [list(range(8)), list(range(16)), list(range(20)), list(range(20))]


def test_what_is_not_due_any_more_takes_no_turn() -> None:
    assert done_by_turn([0] * 15 + [1] * 5)[0] == list(range(15, 20))
    assert done_by_turn([1] * 8 + [0] * 7 + [1] * 5)[1] == [*range(8), *range(15, 20)]


def test_what_costs_more_is_done_less() -> None:
    assert done_by_turn([2] * 10)[:3] == [list(range(4)), list(range(8)), list(range(10))]


def test_what_cannot_wait_is_paid_later() -> None:
    done: list[int] = []

    def act(number: int) -> int:
        done.append(number)
        return 1

    def add() -> None:
        turns, loop = Turns(8), asyncio.get_running_loop()
        for _ in range(13):
            turns.spend(1, loop)
        for number in range(10):
            turns.add(act, number, loop)

    assert by_turn(add, lambda: len(done)) == [0, 3, 10, 10]


def test_act_that_fails_holds_up_no_other() -> None:
    done: list[int] = []

    def act(number: int) -> int:
        if number == 10:
            raise ZeroDivisionError
        done.append(number)
        return 1

    def add() -> None:
        turns, loop = Turns(8), asyncio.get_running_loop()
        loop.set_exception_handler(lambda *_: None)
        for number in range(12):
            turns.add(act, number, loop)

    assert by_turn(add, lambda: len(done)) == [8, 10, 11, 11]


def test_reading_goes_on_for_some_connections_per_turn() -> None:
    transports = [Transport() for _ in range(20)]

    def resume_all() -> None:
        turns, loop = Turns(8), asyncio.get_running_loop()
        for each in transports:
            flow = HeldFlow(each, turns, loop)  # type: ignore[arg-type]
            flow.pause_reading()
            flow.resume_reading()
            flow.resume_reading()

    assert by_turn(resume_all, lambda: sum(each.is_read for each in transports)) == [8, 16, 20, 20]


def test_reading_that_is_paused_held_or_ended_meanwhile_does_not_go_on() -> None:
    paused, held, closing, released = Transport(), Transport(), Transport(is_closing=True), Transport()

    def resume_all() -> None:
        turns, loop = Turns(1), asyncio.get_running_loop()
        flows = [HeldFlow(each, turns, loop) for each in (Transport(), paused, held, closing, released)]  # type: ignore[arg-type]
        for each in flows:
            each.pause_reading()
            each.resume_reading()
        flows[1].pause_reading()
        flows[2].hold()
        flows[4].hold()
        flows[4].release()

    seen = by_turn(resume_all, lambda: [each.is_read for each in (paused, held, closing, released)])
    assert seen[0] == [False] * 4
    assert seen[1:] == [[False, False, False, True]] * 3
